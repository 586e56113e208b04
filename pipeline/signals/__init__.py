"""The data that flows: batches, their record views, their delivery handle."""

from pipeline.signals.attributes import Attributes
from pipeline.signals.batch import Batch
from pipeline.signals.content import Content
from pipeline.signals.context import NO_CONTEXT, Auth, Context
from pipeline.signals.delivery import Delivery, Outcome, end_all
from pipeline.signals.memory import LEDGER, Ledger
from pipeline.signals.rooms import Rooms
from pipeline.signals.signal import Request, Response, Signal
from pipeline.signals.values import Value
from pipeline.signals.views import DataPoint, Event, Exemplar, Link, LogRecord, Metric, Record, Resource, Scope, Span

__all__ = [
    "LEDGER",
    "NO_CONTEXT",
    "Attributes",
    "Auth",
    "Batch",
    "Content",
    "Context",
    "DataPoint",
    "Delivery",
    "Event",
    "Exemplar",
    "Ledger",
    "Link",
    "LogRecord",
    "Metric",
    "Outcome",
    "Record",
    "Request",
    "Resource",
    "Response",
    "Rooms",
    "Scope",
    "Signal",
    "Span",
    "Value",
    "end_all",
]
