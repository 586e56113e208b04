"""Which request goes into which file."""

from __future__ import annotations

import posixpath
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pipeline.clock import Clock
from pipeline.exporters.file.config import FileConfig
from pipeline.exporters.file.rotation import Rotator
from pipeline.exporters.file.sink import Opening, Sink
from pipeline.signals import Request, Signal

_GROUPS: Final = {
    Signal.TRACES: "resource_spans",
    Signal.METRICS: "resource_metrics",
    Signal.LOGS: "resource_logs",
}


class OneFile:
    """Everything into one file."""

    def __init__(self, config: FileConfig, clock: Clock) -> None:
        """Name the file."""
        rotator = None if config.rotation is None else Rotator(config.rotation, clock)
        directory_mode = config.directory_mode if config.create_directory else None
        opening = Opening(keep=config.append or rotator is not None, directory_mode=directory_mode)
        self._sink = Sink(Path(config.path), opening, rotator)

    def open(self) -> None:
        """Open the file. Raises OSError."""
        self._sink.open()

    def divide(self, _signal: Signal, request: Request, raw: bytes) -> Iterator[tuple[Sink, Request, bytes | None]]:
        """The whole request for the file."""
        yield self._sink, request, raw

    def close(self) -> None:
        """Close the file."""
        self._sink.close()


class FilePerGroup:
    """Each resource into the file that its attribute names."""

    def __init__(self, config: FileConfig, clock: Clock) -> None:
        """Split the path at its `*`."""
        self._prefix, self._suffix = config.path.split("*")
        self._attribute = config.group_by.resource_attribute
        self._max_open = config.group_by.max_open_files
        self._rotator = None if config.rotation is None else Rotator(config.rotation, clock)
        self._keep = config.append or self._rotator is not None
        self._directory_mode = config.directory_mode
        self._open: OrderedDict[str, Sink] = OrderedDict()
        self._begun: set[str] = set()

    def open(self) -> None:
        """Nothing to open before the first resource has come."""

    def divide(self, signal: Signal, request: Request, _raw: bytes) -> Iterator[tuple[Sink, Request, bytes | None]]:
        """A request for each file, with the resources that belong there."""
        field = _GROUPS[signal]
        by_path: dict[str, list[Any]] = {}
        for group in getattr(request, field):
            by_path.setdefault(self._path(self._segment(group.resource.attributes)), []).append(group)
        for path, groups in by_path.items():
            yield self._sink(path), type(request)(**{field: groups}), None

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _segment(self, attributes: object) -> str:
        for pair in attributes:  # type: ignore[attr-defined]  # a repeated KeyValue field
            if pair.key == self._attribute:
                return pair.value.string_value  # type: ignore[no-any-return]
        return ""

    def _path(self, segment: str) -> str:
        """The path of a segment, always below the prefix."""
        inside = posixpath.normpath(f"/{segment}{self._suffix}".replace("\0", ""))
        return self._prefix + inside.lstrip("/")

    def _sink(self, path: str) -> Sink:
        sink = self._open.pop(path, None)
        if sink is None:
            while len(self._open) >= self._max_open:
                self._open.popitem(last=False)[1].close()
            opening = Opening(keep=self._keep or path in self._begun, directory_mode=self._directory_mode)
            sink = Sink(Path(path), opening, self._rotator)
            self._begun.add(path)
        self._open[path] = sink
        return sink
