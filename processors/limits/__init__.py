"""Processor `limits`: values, spans and traces are cut to what a backend takes, JSON stays JSON."""

from processors.limits.processor import Limits

__all__ = ["Limits"]
