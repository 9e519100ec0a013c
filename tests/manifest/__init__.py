"""Tests of the manifest room: texts in, values or errors with their place out."""
