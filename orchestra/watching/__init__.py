"""Watching: what counts as a change, where to look for one, and when to build."""
