"""Tests of what touches git: real repositories in temporary folders."""
