"""The mailtrail command, one module a verb. Not deployed."""
