"""One text with all its layers of encoding."""
