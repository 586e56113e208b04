"""What a batch holds, in numbers."""

from __future__ import annotations

from typing import Any

from pipeline.signals import Batch, Signal


def summary(batch: Batch) -> tuple[str, dict[str, int]]:
    """Title and counts of a batch, in the Collector's words."""
    message: Any = batch.message
    if batch.signal is Signal.TRACES:
        return "Traces", {"resource spans": len(message.resource_spans), "spans": batch.count}
    if batch.signal is Signal.LOGS:
        return "Logs", {"resource logs": len(message.resource_logs), "log records": batch.count}
    metrics = sum(len(scope.metrics) for group in message.resource_metrics for scope in group.scope_metrics)
    counts = {"resource metrics": len(message.resource_metrics), "metrics": metrics, "data points": batch.count}
    return "Metrics", counts
