"""The file a record came from, as attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline.signals import Request


class Wanted(Protocol):
    """Which attributes are asked for: keys of the receiver's configuration."""

    include_file_name: bool
    include_file_path: bool
    include_file_name_resolved: bool
    include_file_path_resolved: bool


def attributes_of(path: Path, wanted: Wanted) -> dict[str, str]:
    """The attributes that name a file (OpenTelemetry conventions, `log.file.*`)."""
    resolved = path.resolve() if wanted.include_file_name_resolved or wanted.include_file_path_resolved else path
    every = {
        "log.file.name": (wanted.include_file_name, path.name),
        "log.file.path": (wanted.include_file_path, str(path)),
        "log.file.name_resolved": (wanted.include_file_name_resolved, resolved.name),
        "log.file.path_resolved": (wanted.include_file_path_resolved, str(resolved)),
    }
    return {name: text for name, (is_wanted, text) in every.items() if is_wanted}


def mark(request: Request, attributes: Mapping[str, str]) -> None:
    """Put the attributes on every span and log record, and into the metadata of every metric, as the Collector does."""
    for pairs in _attribute_lists(request):
        for index in range(len(pairs) - 1, -1, -1):
            if pairs[index].key in attributes:
                del pairs[index]
        for key, text in attributes.items():
            pairs.add(key=key).value.string_value = text


def _attribute_lists(request: Any) -> Iterator[Any]:
    for group in getattr(request, "resource_spans", ()):
        yield from (span.attributes for scope in group.scope_spans for span in scope.spans)
    for group in getattr(request, "resource_logs", ()):
        yield from (record.attributes for scope in group.scope_logs for record in scope.log_records)
    for group in getattr(request, "resource_metrics", ()):
        yield from (metric.metadata for scope in group.scope_metrics for metric in scope.metrics)
