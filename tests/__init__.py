"""Tests of orchestra."""
