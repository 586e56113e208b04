"""Whole records: every place where text can hide."""
