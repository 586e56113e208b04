"""Connector `gen_ai_metrics`: metrics of model calls, counted from their spans."""
