"""Tests of the adapters to agents."""
