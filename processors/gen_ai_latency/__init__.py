"""Time to first token and time per token, from whatever the instrumentation knew."""

from processors.gen_ai_latency.chunks import chunk_gaps
from processors.gen_ai_latency.processor import GenAiLatency

__all__ = ["GenAiLatency", "chunk_gaps"]
