"""The series of a page: what was last heard of each, until it expires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.exporters.prometheus.points import State
from pipeline.telemetry.exposition import Family, Kind, Labels, Series


class Conflict(Exception):  # noqa: N818 - a finding, answered where it occurs
    """A point does not fit what is on the page already; `reason` is a label of the metric that counts it."""

    def __init__(self, reason: str, existing: str, dropped: str) -> None:
        """Keep what the page has and what came."""
        super().__init__(reason)
        self.reason = reason
        self.existing = existing
        self.dropped = dropped


@dataclass(slots=True)
class _Entry:
    labels: Labels
    state: State
    time_unix_nano: int
    heard_at: float
    source: int


@dataclass(slots=True)
class _Group:
    kind: Kind
    help: str
    claimed_at: float
    entries: dict[Labels, _Entry] = field(default_factory=dict)


def _followed(earlier: State, state: State, *, delta: bool) -> State:
    # Explicit and exponential histograms share a type on the page: of these the newer one counts anew.
    if type(earlier) is not type(state):
        return state
    return earlier.plus(state) if delta else state.after(earlier)


class SeriesStore:
    """Series by metric name and labels.

    Args:
        expiration_s: a series that was not heard of for so long leaves the page.
        send_timestamps: whether series carry the time of their last point.
    """

    def __init__(self, expiration_s: float, *, send_timestamps: bool = False) -> None:
        """Start empty."""
        self._expiration_s = expiration_s
        self._send_timestamps = send_timestamps
        self._groups: dict[str, _Group] = {}

    def claim(self, name: str, kind: Kind, description: str, now: float) -> str:
        """Claim a name for a type; returns the help text that the page keeps for it.

        Raises:
            Conflict: the page has the name with another type.
        """
        group = self._groups.get(name)
        if group is None:
            self._groups[name] = _Group(kind, description, now)
            return description
        if group.kind != kind:
            raise Conflict("type_conflict", group.kind, kind)
        group.claimed_at = now
        return group.help

    def put(
        self,
        name: str,
        labels: Labels,
        state: State,
        time_unix_nano: int,
        now: float,
        *,
        delta: bool,
        source: int = 0,
    ) -> None:
        """Take a point of a claimed name; a delta is added to what was heard before.

        `source` tells resources apart: labels may be the same where their attributes are not.

        Raises:
            Conflict: a newer point of the series is there already, or one of another source at the same time.
        """
        entries = self._groups[name].entries
        entry = entries.get(labels)
        if entry is None:
            entries[labels] = _Entry(labels, state, time_unix_nano, now, source)
            return
        if time_unix_nano < entry.time_unix_nano:
            raise Conflict("out_of_order", str(entry.time_unix_nano), str(time_unix_nano))
        if not delta and time_unix_nano == entry.time_unix_nano and source != entry.source:
            raise Conflict("same_labels", str(entry.time_unix_nano), str(time_unix_nano))
        entry.source = source
        entry.state = _followed(entry.state, state, delta=delta)
        entry.time_unix_nano = time_unix_nano
        entry.heard_at = now

    def remove(self, name: str, labels: Labels) -> None:
        """Forget a series whose sender says that it has ended."""
        self._groups[name].entries.pop(labels, None)

    def expire(self, now: float) -> None:
        """Forget what was not heard of for too long, and names without series."""
        for name, group in list(self._groups.items()):
            old = [e.labels for e in group.entries.values() if now - e.heard_at > self._expiration_s]
            for labels in old:
                del group.entries[labels]
            if not group.entries and now - group.claimed_at > self._expiration_s:
                del self._groups[name]

    def families(self) -> Iterable[Family]:
        """What is on the page now; may be read in another thread while points come in."""
        snapshot = [(name, group.kind, group.help, list(group.entries.values())) for name, group in self._by_name()]
        return (Family(name, kind, text, self._series(entries)) for name, kind, text, entries in snapshot)

    def _by_name(self) -> list[tuple[str, _Group]]:
        return sorted(self._groups.items(), key=lambda item: item[0])

    def _series(self, entries: Iterable[Any]) -> Iterator[Series]:
        for entry in entries:
            time_ms = entry.time_unix_nano // 1_000_000 if self._send_timestamps else 0
            yield Series(entry.labels, entry.state.points(), time_ms or None)
