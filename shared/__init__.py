"""What the functions share: three rooms that do not know each other."""
