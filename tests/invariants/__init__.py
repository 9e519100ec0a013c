"""The invariants I1 to I14 of the design's section 5, as state machines."""
