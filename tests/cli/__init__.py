"""Tests of the commands, as a person calls them: real processes, real git."""
