"""Setting full files aside, under the names that the Collector gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.clock import Clock
from pipeline.exporters.file.config import Rotation

_MIB: Final = 1 << 20
_DEFAULT_MEGABYTES: Final = 100
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}")
_STAMP_FORMAT: Final = "%Y-%m-%dT%H-%M-%S.%f"


class Rotator:
    """Renames `traces.json` to `traces-2026-01-31T12-00-00.000.json` and deletes what is too old or too many."""

    def __init__(self, config: Rotation, clock: Clock) -> None:
        """Read the limits."""
        self._config = config
        self._clock = clock
        self._max_bytes = (config.max_megabytes or _DEFAULT_MEGABYTES) * _MIB

    def is_due(self, size_bytes: int, more_bytes: int) -> bool:
        """Whether a file of that size has no room for so much more. A payload over the limit gets a file of its own."""
        return size_bytes > 0 and size_bytes + more_bytes > self._max_bytes

    def rotate(self, path: Path) -> None:
        """Set the file aside and delete old ones. Raises OSError."""
        moment = datetime.fromtimestamp(self._clock.time_ns() / 1e9, None if self._config.localtime else UTC)
        target = _aside(path, moment)
        while target.exists():
            moment += timedelta(milliseconds=1)
            target = _aside(path, moment)
        path.rename(target)
        for old in self._superfluous(path, moment.replace(tzinfo=None)):
            old.unlink(missing_ok=True)

    def _superfluous(self, path: Path, now: datetime) -> Iterator[Path]:
        newest_first = sorted(_set_aside(path), reverse=True)
        oldest = now - timedelta(days=self._config.max_days)
        for position, (moment, old) in enumerate(newest_first):
            too_many = 0 < self._config.max_backups <= position
            too_old = self._config.max_days > 0 and moment < oldest
            if too_many or too_old:
                yield old


def _aside(path: Path, moment: datetime) -> Path:
    return path.with_name(f"{path.stem}-{moment.strftime(_STAMP_FORMAT)[:-3]}{path.suffix}")


def _set_aside(path: Path) -> Iterator[tuple[datetime, Path]]:
    for other in path.parent.iterdir():
        name = other.name
        if name.startswith(f"{path.stem}-") and name.endswith(path.suffix):
            stamp = name[len(path.stem) + 1 : len(name) - len(path.suffix)]
            if _STAMP.fullmatch(stamp):
                yield datetime.strptime(stamp, _STAMP_FORMAT), other  # noqa: DTZ007 - names carry no zone
