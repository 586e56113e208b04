"""Verbosity `normal`: one line for each record, and LLM calls in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.exporters.debug.text import indented, number, pairs
from pipeline.exporters.debug.views import SpanViews
from pipeline.signals import Batch, DataPoint, LogRecord, Record, Resource, Scope, Signal, Span
from pipeline.signals.plain import as_text

_NAMES: Final = {
    Signal.TRACES: ("ResourceTraces", "ScopeTraces"),
    Signal.LOGS: ("ResourceLog", "ScopeLog"),
    Signal.METRICS: ("ResourceMetrics", "ScopeMetrics"),
}


class Writer:
    """Lines of batches."""

    def __init__(self, views: SpanViews) -> None:
        """Show spans that a view knows in its words, others by their attributes."""
        self._views = views

    def lines(self, batch: Batch) -> Iterator[str]:
        """A line for each resource, scope and record."""
        resource_name, scope_name = _NAMES[batch.signal]
        for index, resource in enumerate(batch.resources()):
            yield " ".join((f"{resource_name} #{index}", *_resource(resource))) + "\n"
            for scope_index, scope in enumerate(resource.scopes):
                yield " ".join((f"{scope_name} #{scope_index} {_scope(scope)}", *pairs(scope.attributes))) + "\n"
                for record in scope.records:
                    yield from self._record(record)

    def _record(self, record: Record) -> Iterator[str]:
        if isinstance(record, Span):
            view = self._views.lines(record)
            known = () if view else pairs(record.attributes)
            yield " ".join((record.name, record.trace_id.hex(), record.span_id.hex(), *known)) + "\n"
            yield from indented(view, "    ")
        elif isinstance(record, LogRecord):
            yield " ".join((as_text(record.body), *pairs(record.attributes))) + "\n"
        elif isinstance(record, DataPoint):
            attributes = ",".join(pairs(record.attributes))
            yield f"{record.metric.name}{{{attributes}}} {_point(record.metric.kind, record.pb)}\n"


def _resource(resource: Resource) -> Iterator[str]:
    if resource.schema_url:
        yield f"[{resource.schema_url}]"
    yield from pairs(resource.attributes)


def _scope(scope: Scope) -> str:
    version = f"@{scope.version}" if scope.version else ""
    schema = f" [{scope.schema_url}]" if scope.schema_url else ""
    return f"{scope.name}{version}{schema}"


def _point(kind: str, point: Any) -> str:
    if kind in {"gauge", "sum"}:
        which = point.WhichOneof("value")
        return "" if which is None else number(float(point.as_double)) if which == "as_double" else str(point.as_int)
    if kind == "summary":
        quantiles = [f"q{number(q.quantile)}={number(q.value)}" for q in point.quantile_values]
        return " ".join((f"count={point.count}", f"sum={point.sum:f}", *quantiles))
    present = [f"{name}={number(getattr(point, name))}" for name in ("sum", "min", "max") if point.HasField(name)]
    return " ".join((f"count={point.count}", *present, *(_buckets(point) if kind == "histogram" else ())))


def _buckets(point: Any) -> Iterator[str]:
    bounds = list(point.explicit_bounds)
    for index, count in enumerate(point.bucket_counts):
        yield f"le{number(bounds[index])}={count}" if index < len(bounds) else str(count)
