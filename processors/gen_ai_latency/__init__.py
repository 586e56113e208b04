"""Time to first token and time per token, from whatever the instrumentation knew."""

from processors.gen_ai_latency.processor import GenAiLatency

__all__ = ["GenAiLatency"]
