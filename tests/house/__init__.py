"""Tests of the house itself: imports, purity, documentation."""
