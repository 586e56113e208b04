"""What a batch holds: raw bytes, the parsed message, and the views on it, each made when first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from pipeline.signals.memory import LEDGER
from pipeline.signals.repeated import remove
from pipeline.signals.signal import Request, Signal
from pipeline.signals.views import DataPoint, LogRecord, Metric, Resource, Scope, Span

# Names of the repeated fields on the way from a request to its records.
_GROUPS: Final = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
}


class Content:
    """Bytes, message and views of one request, kept in step.

    Bytes stay valid while views are only read. `serialize` flushes what changed and re-serialises once.
    """

    __slots__ = (
        "__weakref__",
        "_counted_bytes",
        "_dirty",
        "_message",
        "_raw",
        "_resources",
        "_rewritten",
        "count",
        "has_dropped",
        "signal",
        "size_bytes",
        "stale",
    )

    def __init__(self, signal: Signal, count: int, *, raw: bytes | None = None, message: Request | None = None) -> None:
        """Hold a request of `count` records, given as bytes, message or both."""
        self._raw = raw
        self._message = message
        self._resources: list[Resource] | None = None
        self._dirty: list[Attributes] = []
        self.signal = signal
        self.count = count
        self.has_dropped = False
        self.stale = self._rewritten = raw is None
        if raw is not None:
            self.size_bytes = len(raw)
        else:
            assert message is not None, "content needs bytes or a message"  # noqa: S101 - for the type checker
            self.size_bytes = message.ByteSize()
        self._counted_bytes = self.size_bytes
        LEDGER.add(self._counted_bytes)

    def __del__(self, add: Callable[[int], None] = LEDGER.add) -> None:
        """Leave the memory ledger, also where the interpreter ends and names of modules are gone."""
        add(-getattr(self, "_counted_bytes", 0))

    def touched(self, attributes: Attributes) -> None:
        """An attribute mapping has changes to flush."""
        self._dirty.append(attributes)
        self.stale = True

    @property
    def message(self) -> Request:
        """The message with all changes in it; parsed on first use."""
        message = self._message
        if message is None:
            message = self._message = self.signal.request_class.FromString(self._raw or b"")
        self.flush()
        return message

    @property
    def has_views(self) -> bool:
        """Whether views are there."""
        return self._resources is not None

    @property
    def changed(self) -> bool:
        """Whether the bytes are, or will be, others than those it was made of."""
        return self._rewritten or self.stale

    def flush(self) -> None:
        """Write recorded changes into the message. Raises TypeError or ValueError for what has no OTLP form."""
        if not self._dirty:
            return
        dirty, self._dirty = self._dirty, []
        for attributes in dirty:
            attributes.flush()

    def serialize(self) -> bytes:
        """The request as bytes: the very bytes that came in when nothing was changed."""
        if self.stale or self._raw is None:
            self._raw = self.message.SerializeToString()
            self.size_bytes = len(self._raw)
            self.stale = False
            self._rewritten = True
        return self._raw

    def resources(self) -> list[Resource]:
        """Views of everything, built on first use."""
        if self._resources is None:
            self._resources = self._build()
        return self._resources

    def _build(self) -> list[Resource]:
        resource_groups, scope_groups, items = _GROUPS[self.signal]
        add_records = {Signal.TRACES: _add_spans, Signal.LOGS: _add_logs, Signal.METRICS: _add_points}[self.signal]
        resources = []
        for group in getattr(self.message, resource_groups):
            resource = Resource(group, self)
            resources.append(resource)
            for scope_group in getattr(group, scope_groups):
                scope = Scope(scope_group, resource)
                resource.scopes.append(scope)
                add_records(scope, getattr(scope_group, items))
        return resources

    def end_views(self) -> None:
        """Take the tree of views apart: nobody walks it any more."""
        resources, self._resources = self._resources, None
        for resource in resources or ():
            for scope in resource.scopes:
                for metric in scope.metrics:
                    metric.records = []
                scope.records, scope.metrics = [], []
            resource.scopes = []

    def remove_dropped(self) -> None:
        """Take records marked `dropped` out of the message, and metrics, scopes and resources left empty by it."""
        if not self.has_dropped:
            return
        self.has_dropped = False
        resource_field, scope_field, items = _GROUPS[self.signal]
        resources = self.resources()
        removed = 0
        emptied = []
        for resource in resources:
            removed_here = 0
            emptied_scopes = []
            for scope in resource.scopes:
                before = len(scope.records)
                self._remove_records(scope, items)
                removed_here += before - len(scope.records)
                emptied_scopes.append(before > len(scope.records) and not (scope.records or scope.metrics))
            resource.scopes = remove(getattr(resource.group, scope_field), resource.scopes, emptied_scopes)
            removed += removed_here
            emptied.append(removed_here > 0 and not resource.scopes)
        self._resources = remove(getattr(self.message, resource_field), resources, emptied)
        if removed:
            self.count -= removed
            self.stale = True

    def _remove_records(self, scope: Scope, items: str) -> None:
        gone = [record.dropped for record in scope.records]
        if not any(gone):
            return
        if self.signal is Signal.METRICS:
            _remove_points(scope)
            scope.records = [record for record in scope.records if not record.dropped]
        else:
            scope.records = remove(getattr(scope.group, items), scope.records, gone)


def _add_spans(scope: Scope, spans: Any) -> None:
    scope.records = [Span(span, scope) for span in spans]


def _add_logs(scope: Scope, log_records: Any) -> None:
    scope.records = [LogRecord(record, scope) for record in log_records]


def _add_points(scope: Scope, metrics: Any) -> None:
    for metric_pb in metrics:
        metric = Metric(metric_pb, scope)
        scope.metrics.append(metric)
        if metric.kind:
            metric.records = [DataPoint(point, metric) for point in metric.data.data_points]
            scope.records.extend(metric.records)


def _remove_points(scope: Scope) -> None:
    emptied = []
    for metric in scope.metrics:
        before = len(metric.records)
        if before:
            gone = [point.dropped for point in metric.records]
            metric.records = remove(metric.data.data_points, metric.records, gone)
        emptied.append(before > 0 and not metric.records)
    scope.metrics = remove(scope.group.metrics, scope.metrics, emptied)


def count_records(signal: Signal, message: Request) -> int:
    """Spans, log records or data points in a request."""
    resource_groups, scope_groups, items = _GROUPS[signal]
    if signal is not Signal.METRICS:
        return sum(
            len(getattr(scope, items))
            for group in getattr(message, resource_groups)
            for scope in getattr(group, scope_groups)
        )
    return sum(
        len(getattr(metric, kind).data_points)
        for group in getattr(message, resource_groups)
        for scope in getattr(group, scope_groups)
        for metric in getattr(scope, items)
        if (kind := metric.WhichOneof("data"))
    )
