"""One vocabulary, whatever instrumentation spoke."""

from processors.gen_ai_normalizer.processor import GenAiNormalizer

__all__ = ["GenAiNormalizer"]
