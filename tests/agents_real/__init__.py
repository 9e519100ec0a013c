"""Builds with the real agent programs, whose model is a server on loopback that answers by a script."""
