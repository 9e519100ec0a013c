"""The record of what was built, in SQLite. It may be lost at any time: no decision about freshness rests on it."""
