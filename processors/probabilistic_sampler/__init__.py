"""Sampling by chance alone: each span or log record by itself, without waiting for others."""
