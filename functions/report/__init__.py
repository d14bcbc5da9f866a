"""Timer: the day's numbers, as JSON, CSV and a page."""
