"""What things are: tasks, claims, graph, keys, lock entries, events, seams. Pure: no input or output."""
