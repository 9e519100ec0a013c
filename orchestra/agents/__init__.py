"""Adapters, one agent program a file: command line in, normalised events and a judgement out. They start nothing."""
