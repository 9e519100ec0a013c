"""Tests of the pure model: patterns, graph, keys, lock entries, freshness."""
