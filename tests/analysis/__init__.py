"""Tests of the analysis: what prompts say of the files that they are about."""
