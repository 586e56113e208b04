"""Labels of a series: from the resource, the scope and the attributes of a data point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.prometheus.names import label_name
from pipeline.prometheus.settings import ResourceConversion
from pipeline.signals import Value
from pipeline.signals.plain import as_text
from pipeline.telemetry.exposition import Exemplar, Labels

_IDENTITY = ("service.name", "service.namespace", "service.instance.id")
# OpenMetrics 1.0: the label set of an exemplar has at most 128 characters.
_MAX_EXEMPLAR_CHARS = 128


class BadLabel(ValueError):  # noqa: N818 - a finding, answered where it occurs
    """An attribute key of which no label name can be made."""


def translate(attributes: Iterable[tuple[str, Value]], labels: dict[str, str], *, utf8: bool, prefix: str = "") -> None:
    """Add attributes to `labels`; where several keys become one label, their values are joined by `;` in key order.

    `__name__` is the metric's, whatever an attribute of that name says.

    Raises:
        BadLabel: nothing of a key is left.
    """
    sources: dict[str, str] = {}
    for key, value in attributes:
        name = label_name(prefix + key, utf8=utf8)
        if not name:
            raise BadLabel(key)
        if name == "__name__":
            continue
        if name in sources:
            first = sources[name] < key
            labels[name] = f"{labels[name]};{as_text(value)}" if first else f"{as_text(value)};{labels[name]}"
        else:
            labels[name] = as_text(value)
        sources[name] = key


def identity(resource: Mapping[str, Value]) -> dict[str, str]:
    """`job` (namespace/name of the service) and `instance`, where the resource says them."""
    labels: dict[str, str] = {}
    name, namespace = (as_text(resource.get(key)) for key in _IDENTITY[:2])
    if "service.name" in resource:
        labels["job"] = f"{namespace}/{name}" if namespace else name
    if "service.instance.id" in resource:
        labels["instance"] = as_text(resource["service.instance.id"])
    return labels


def resource_labels(resource: Mapping[str, Value], conversion: ResourceConversion, *, utf8: bool) -> dict[str, str]:
    """Labels of every series of a resource. Raises BadLabel."""
    labels: dict[str, str] = {}
    if conversion.enabled:
        left_out = _IDENTITY if conversion.exclude_service_attributes else ()
        translate(((key, value) for key, value in resource.items() if key not in left_out), labels, utf8=utf8)
    return labels | identity(resource)


def target_labels(resource: Mapping[str, Value], *, utf8: bool) -> Labels:
    """Labels of `target_info`: all of the resource; empty where there is nothing to say or nobody to say it of."""
    own = identity(resource)
    rest: dict[str, str] = {}
    translate(((key, value) for key, value in resource.items() if key not in _IDENTITY), rest, utf8=utf8)
    return tuple(sorted((rest | own).items())) if own and rest else ()


def scope_labels(
    name: str, version: str, schema_url: str, attributes: Mapping[str, Value], *, utf8: bool
) -> dict[str, str]:
    """`otel_scope_*`."""
    labels: dict[str, str] = {}
    translate(attributes.items(), labels, utf8=utf8, prefix="otel_scope_")
    return labels | {"otel_scope_name": name, "otel_scope_version": version, "otel_scope_schema_url": schema_url}


def exemplar(trace_id: bytes, span_id: bytes, attributes: Mapping[str, Value], value: float, time_ns: int) -> Exemplar:
    """An exemplar with its trace, and with the filtered attributes where OpenMetrics has room for them."""
    ids = {"trace_id": trace_id.hex(), "span_id": span_id.hex()}
    own = {key: text for key, text in ids.items() if text}
    more: dict[str, str] = {}
    translate(attributes.items(), more, utf8=False)
    labels = own | more
    if sum(len(key) + len(text) for key, text in labels.items()) > _MAX_EXEMPLAR_CHARS:
        labels = own
    return Exemplar(tuple(labels.items()), value, time_ns / 1e9 if time_ns else None)
