"""Tests of the engine on simulated executors, in-memory git and a manual clock."""
