"""Own metrics as a page shows them: the Collector's names for `otelcol_`, canonical names for `penstock_`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, TypedDict, cast

import yaml
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from pipeline.telemetry.exposition import Family, Kind, Labels, Point, Series

_COLLECTOR_PREFIX: Final = "otelcol_"
_LEVELS: Final = ("none", "basic", "normal", "detailed")
_LAST_LABELS: Final = ("le", "quantile")
_SCOPE: Final = "penstock"


@dataclass(frozen=True, slots=True)
class PageStyle:
    """What a reader asks of the Collector's names (`without_*` of the declarative configuration)."""

    without_scope_info: bool = True
    without_units: bool = True
    without_type_suffix: bool = True


class _Entry(TypedDict, total=False):
    unit: str
    level: str
    workers: str


@cache
def _instruments() -> Mapping[str, _Entry]:
    text = files(__package__).joinpath("instruments.yaml").read_text(encoding="utf-8")
    return cast("Mapping[str, _Entry]", yaml.safe_load(text))


def least_level(name: str) -> str:
    """The level from which on a metric is shown."""
    return _instruments().get(name.removeprefix(_COLLECTOR_PREFIX), {}).get("level", "basic")


def pooling(name: str) -> str:
    """How several workers' values of a metric become one: `sum`, `max`, `min`, or `parent` (only the parent's)."""
    return _instruments().get(name.removeprefix(_COLLECTOR_PREFIX), {}).get("workers", "sum")


def visible(metrics: Iterable[Metric], level: str) -> Iterator[Metric]:
    """The metrics that `service.telemetry.metrics.level` shows."""
    reached = _LEVELS.index(level)
    for metric in metrics:
        if reached and _LEVELS.index(least_level(metric.name)) <= reached:
            yield metric


def page_name(metric: Metric, style: PageStyle) -> str:
    """The name of a metric on a page."""
    name: str = metric.name
    if not name.startswith(_COLLECTOR_PREFIX):
        return f"{name}_total" if metric.type == "counter" else name
    unit = _instruments().get(name.removeprefix(_COLLECTOR_PREFIX), {}).get("unit", "")
    if unit and not style.without_units and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    return f"{name}_total" if metric.type == "counter" and not style.without_type_suffix else name


def own_families(
    metrics: Iterable[Metric], resource: Mapping[str, str], style: PageStyle, *, version: str
) -> list[Family]:
    """The families of a page: every metric, and `target_info` with the resource."""
    scope: Labels = ()
    if not style.without_scope_info:
        scope = (("otel_scope_name", _SCOPE), ("otel_scope_schema_url", ""), ("otel_scope_version", version))
    families = [
        Family(page_name(metric, style), cast("Kind", metric.type), metric.documentation, _series(metric, scope))
        for metric in metrics
    ]
    families.append(_target_info(resource))
    return sorted(families, key=lambda family: family.name)


def _target_info(resource: Mapping[str, str]) -> Family:
    labels = tuple(sorted((key.replace(".", "_"), value) for key, value in resource.items()))
    return Family("target_info", "gauge", "Target metadata", [Series(labels, [Point(1.0)])])


def _series(metric: Metric, scope: Labels) -> list[Series]:
    by_labels: dict[Labels, list[Point]] = {}
    for sample in metric.samples:
        labels = tuple(sorted([*((k, v) for k, v in sample.labels.items() if k not in _LAST_LABELS), *scope]))
        by_labels.setdefault(labels, []).append(_point(metric, sample))
    return [Series(labels, points) for labels, points in by_labels.items()]


def _point(metric: Metric, sample: Sample) -> Point:
    last = next(((key, float(sample.labels[key])) for key in _LAST_LABELS if key in sample.labels), None)
    suffix = "" if metric.type == "counter" else sample.name.removeprefix(metric.name)
    return Point(sample.value, suffix, last)
