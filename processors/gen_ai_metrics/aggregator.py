"""From spans to series: which values a call has, and which series they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from pipeline.aggregation import OVERFLOW, Aggregation, Labels, Series
from pipeline.signals import Span, Value
from processors.gen_ai_metrics.catalog import Row

Values: TypeAlias = tuple[Value, ...]

_NS: Final = 1e-9
_BUNDLES: Final = 4096


class Aggregator:
    """Adds the values of model calls to series.

    Spans of equal resource and dimensions share a bundle of series, so that a span costs one look-up and an addition
    for each value it has.
    """

    def __init__(
        self,
        aggregation: Aggregation,
        rows: Sequence[Row],
        dimensions: Sequence[str],
        resource_attributes: Sequence[str],
        older_names: Mapping[str, str],
    ) -> None:
        """`older_names`: attributes whose values stand in for a dimension that a span does not have."""
        self._aggregation = aggregation
        self._generation = aggregation.generation
        self._rows = tuple(rows)
        # What the loop over rows needs of each, looked up once.
        self._reads = [(index, row.value, row.by) for index, row in enumerate(rows)]
        self._dimensions = tuple(dimensions)
        self._older = [(index, older_names[name]) for index, name in enumerate(dimensions) if name in older_names]
        self._resource_attributes = tuple(resource_attributes)
        self._bundles: dict[tuple[Values, Values], list[dict[Value, Series]]] = {}

    def add(self, span: Span, now_ns: int) -> None:
        """Count one model call."""
        if self._generation != self._aggregation.generation:
            self._generation = self._aggregation.generation
            self._bundles.clear()
        get = span.attributes.get
        resource = span.resource.attributes.get
        values = [get(name) for name in self._dimensions]
        for index, name in self._older:
            if values[index] is None:
                values[index] = get(name)
        key = (tuple([resource(name) for name in self._resource_attributes]), tuple(values))
        try:
            bundle = self._bundles.get(key)
        except TypeError:
            key = (_labels_of(key[0]), _labels_of(key[1]))
            bundle = self._bundles.get(key)
        if bundle is None:
            bundle = [{} for _ in self._rows]
        for index, source, by_key in self._reads:
            value = _duration_s(span) if source == "duration" else get(source)
            if type(value) is int or type(value) is float:
                by = get(by_key) if by_key is not None else None
                if isinstance(by, list | dict):
                    by = str(by)
                series = bundle[index].get(by) or self._series(key, index, by, bundle, now_ns)
                series.add(value, now_ns)

    def _series(
        self, key: tuple[Values, Values], index: int, by: Value, bundle: list[dict[Value, Series]], now_ns: int
    ) -> Series:
        row = self._rows[index]
        resource = _pairs(self._resource_attributes, key[0])
        labels = (*_pairs(self._dimensions, key[1]), *row.labels)
        if row.by and by is not None:
            labels = (*labels, (row.by, by))
        series = self._aggregation.series(resource, row.instrument, labels, now_ns)
        if series.labels is not OVERFLOW:
            if len(self._bundles) >= _BUNDLES:
                self._bundles.clear()
            self._bundles[key] = bundle
            bundle[index][by] = series
        return series


def _pairs(names: Sequence[str], values: Values) -> Labels:
    return tuple([(name, value) for name, value in zip(names, values, strict=True) if value is not None])


def _labels_of(values: Values) -> Values:
    """Lists and mappings as text: a label must be comparable."""
    return tuple([str(value) if isinstance(value, list | dict) else value for value in values])


def _duration_s(span: Span) -> float | None:
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    return (end - start) * _NS if end >= start > 0 else None
