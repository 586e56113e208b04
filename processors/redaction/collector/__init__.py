"""The language of the Collector's redaction processor."""
