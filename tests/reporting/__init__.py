"""Tests of what people and programs get to read."""
