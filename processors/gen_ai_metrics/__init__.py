"""Connector `gen_ai_metrics`: metrics of what LLM applications do, from spans and log records."""
