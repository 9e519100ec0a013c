"""Tests of the history, on real databases."""
