"""Calls that are remembered for results which come later, and results that wait: bounded in bytes and time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pipeline.component import Host
from processors.gen_ai_metrics.bundles import Place, Said

JoinKey: TypeAlias = str | bytes
"""A response id, or a span id."""
Seen: TypeAlias = tuple[list[bytes], list[Any], list[Said]]
"""Calls of a request: their span ids, response ids (or None), and labels."""

# By the allocator, with a share of tables that grow: the tests hold them against what it says of 20,000 calls.
_CALL_BYTES: Final = 450
_SAID_BYTES: Final = 1000
_RESULT_BYTES: Final = 1500
_USUAL_ID: Final = 64
LONGEST_ID: Final = 256
"""Response ids have 30 to 60 characters; longer ones are not remembered."""


@dataclass(slots=True, eq=False)
class Result:
    """A result of an evaluation, or a user's feedback.

    Attributes:
        keys: what it may be about, the likeliest first.
        said: labels of its own.
        row: what is recorded.
    """

    keys: tuple[JoinKey, ...]
    place: Place
    said: Said
    row: tuple[Any, ...]
    due_s: float = 0.0
    is_done: bool = False


class _Generation:
    """Calls that were seen between two points in time, as they came, and those of them that are in the table."""

    __slots__ = ("_requests", "_table", "calls", "labels")

    def __init__(self) -> None:
        self._requests: list[Seen] = []
        self._table: dict[JoinKey, Said] = {}
        self.calls = 0
        self.labels = 0

    def add(self, seen: Seen, new_labels: int) -> None:
        self._requests.append(seen)
        self.calls += len(seen[0])
        self.labels += new_labels

    def find(self, key: JoinKey) -> Said | None:
        if self._requests:
            for seen in self._requests:
                self._table.update(keyed(seen))
            self._requests.clear()
        return self._table.get(key)


class Calls:
    """Labels of calls, by what results may name: response ids and span ids.

    Most calls are never asked for: they are kept as they come, and put into a table when somebody asks.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        """Remember nothing yet."""
        self._young = _Generation()
        self._old = _Generation()
        self._began_s = now_s

    def __len__(self) -> int:
        """Calls that are remembered."""
        return self._young.calls + self._old.calls

    def forget(self, now_s: float, *, max_bytes: int, remember_s: float) -> None:
        """Forget what is too old or too much; `now_s` is a monotonic clock. For once a batch."""
        young = self._young
        used = young.calls * _CALL_BYTES + young.labels * _SAID_BYTES
        if used > max_bytes // 2 or now_s - self._began_s > remember_s:
            self._old, self._young = young, _Generation()
            self._began_s = now_s

    def remember(self, seen: Seen, new_labels: int) -> None:
        """Remember the calls of a request; `new_labels`: how many sets of labels were made for them."""
        self._young.add(seen, new_labels)

    def find(self, keys: Iterable[JoinKey]) -> Said | None:
        """Labels of the first of these that is remembered."""
        for key in keys:
            found = self._young.find(key)
            if found is None:
                found = self._old.find(key)
            if found is not None:
                return found
        return None


def add_seen(seen: Seen, span_id: bytes, response: str | None, said: Said) -> None:
    """Add one call."""
    span_ids, responses, labels = seen
    span_ids.append(span_id)
    responses.append(response)
    labels.append(said)


def keyed(seen: Seen) -> Iterator[tuple[JoinKey, Said]]:
    """Calls by each of their keys."""
    for span_id, response, labels in zip(*seen, strict=True):
        if span_id:
            yield span_id, labels
        if response is not None:
            yield response, labels


class Waiting:
    """Results whose calls have not come."""

    def __init__(self, *, max_bytes: int) -> None:
        """Nothing waits yet."""
        self._most = max(1, max_bytes // _RESULT_BYTES)
        self._by_key: dict[JoinKey, list[Result]] = {}
        self._queue: deque[Result] = deque()

    def __len__(self) -> int:
        """Results that wait, or were in the queue behind one that does."""
        return len(self._queue)

    def add(self, result: Result, until_s: float) -> None:
        """Keep a result."""
        result.due_s = until_s
        self._queue.append(result)
        for key in result.keys:
            self._by_key.setdefault(key, []).append(result)

    def take(self, seen: Seen) -> list[tuple[Result, Said]]:
        """The results that waited for one of these calls, with its labels."""
        found: list[tuple[Result, Said]] = []
        if self._by_key:
            for key, labels in keyed(seen):
                for result in self._by_key.get(key, ()):
                    if not result.is_done:
                        result.is_done = True
                        found.append((result, labels))
        for result, _ in found:
            self._end(result)
        return found

    def due(self, now_s: float) -> list[Result]:
        """Results whose calls did not come in time, or that are too many to wait."""
        found: list[Result] = []
        queue = self._queue
        while queue and (queue[0].is_done or queue[0].due_s <= now_s or len(queue) > self._most):
            result = queue.popleft()
            if not result.is_done:
                self._end(result)
                found.append(result)
        return found

    def _end(self, result: Result) -> None:
        result.is_done = True
        for key in result.keys:
            left = [other for other in self._by_key.pop(key, ()) if other is not result]
            if left:
                self._by_key[key] = left


def response_ids(values: list[Any]) -> list[Any]:
    """Those that can be remembered, and None in the places of others."""
    try:
        are_usual = len("".join(values)) <= _USUAL_ID * len(values)
    except TypeError:
        are_usual = False
    return values if are_usual else [response_id(value) for value in values]


def response_id(value: object) -> str | None:
    """A response id that can be remembered."""
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_ID else None


def keys_of(*keys: JoinKey | None) -> tuple[JoinKey, ...]:
    """Keys in their order, each once, without those that are none."""
    return tuple(dict.fromkeys(key for key in keys if key))


def calls_of(host: Host) -> Calls:
    """The memory of a connector, which a reload does not empty."""
    return host.shared(Calls, lambda: Calls(host.clock.monotonic()))
