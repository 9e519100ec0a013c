"""Benchmarks: figures as ratios within one run, since machines are noisy."""
