"""Finds values in plain text: rules, what triggers them, and the engines."""
