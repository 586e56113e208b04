"""The test kit: sinks, a fake clock, builders and hosts. Plug-in authors use it too."""

from pipeline.testing.builders import START_NS, log_request, logs, metric_request, metrics, trace_request, traces
from pipeline.testing.clock import FakeClock
from pipeline.testing.host import configured, make_host, metric_value
from pipeline.testing.pipeline import RunningPipeline, run_processors
from pipeline.testing.sinks import BoundedSink, CollectingSink, FailingSink

__all__ = [
    "START_NS",
    "BoundedSink",
    "CollectingSink",
    "FailingSink",
    "FakeClock",
    "RunningPipeline",
    "configured",
    "log_request",
    "logs",
    "make_host",
    "metric_request",
    "metric_value",
    "metrics",
    "run_processors",
    "trace_request",
    "traces",
]
