"""Tests on real input from a package registry."""
