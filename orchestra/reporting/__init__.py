"""What happened, for people and programs: events in, lines, summaries, pages and JSON out."""
