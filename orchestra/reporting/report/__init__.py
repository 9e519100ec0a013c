"""The report of one build: as a page, as Markdown, as JSON, as JUnit XML, and as a trace."""
