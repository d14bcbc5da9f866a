"""Timer: the day's message status and the task list into COS."""
