"""The report of one build: its story, its numbers, and every form in which it is told."""
