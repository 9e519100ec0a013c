"""How attempts are carried out: the engine's one loop, the executor, the supervisor of one command."""
