"""What runs next: the board of task states, the order of starts, the simulated executor. Pure."""
