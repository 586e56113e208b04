"""Files of SQLite, read without SQLite."""
