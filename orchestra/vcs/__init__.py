"""Everything that touches git: the one command builder, the repository, slots, capture, the in-memory double."""
