"""What becomes of a value, and where."""
