"""The trained model: its file, its trees, and what they say of windows of text."""
