"""Which span is which call: what the provider saw, beside what was recorded of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.evaluation.records import Record

ROLE: Final = "penstock.gen_ai.role"
_CLOCK_SLACK_NS: Final = 5_000_000
_MOMENT_NS: Final = 1_000
"""A record that is not longer than this has no length."""
_SHORT_NS: Final = 50_000_000
"""No answer takes less: a record of such a length is of its end."""
_LATE_NS: Final = 1_000_000_000
"""A record without length may come this long after the response that it tells of."""
_OTHER_ID: Final = -15
"""What another response id tells: libraries give responses ids of their own where a stream has none or they translate
what came back, so that time and tokens can outweigh it."""
_LAZY_NS: Final = 100_000_000
"""A client sends its request within this time after a span that does not wait for it."""

Request = dict[str, Any]
"""One request as the provider saw it."""


@dataclass(frozen=True)
class Call:
    """A request of the provider, with the records of it."""

    request: Request
    leaf: Record
    """The span that counts it."""
    reports: tuple[Record, ...]
    """What came out about it: the leaf, duplicates of it, and log records of these spans."""
    raw: tuple[Record, ...]
    """The same records as they came in."""

    @functools.cached_property
    def raw_texts(self) -> list[str]:
        """Every text in the raw records."""
        return [text for record in self.raw for text in record.texts]

    def has_text(self, wanted: str) -> bool:
        """Whether a text stands in a raw record, alone or inside another."""
        return any(wanted in text for text in self.raw_texts)

    @property
    def is_cut(self) -> bool:
        """Whether it ended before its time: the provider's counts are not those of what was received."""
        return is_cut(self.request)

    def said(self, key: str) -> Any:
        """What the leaf says."""
        return self.leaf.attributes.get(key)


@dataclass(frozen=True)
class Matched:
    """All calls of a recording."""

    calls: tuple[Call, ...]
    missing: tuple[Request, ...]
    """Requests that no leaf counts."""
    extra: tuple[Record, ...]
    """Leaves that count no request, or one that another leaf counts."""


def is_cut(request: Request) -> bool:
    """Whether a client left before the end of the answer, or there was an error."""
    return bool(request["timing"].get("client_disconnected") or request["error"] is not None)


def match(requests: Iterable[Request], out: list[Record], raw: list[Record]) -> Matched:
    """Find the leaf of each request: by response id, by time, by what it says."""
    requests = list(requests)
    leaves = [record for record in out if record.attributes.get(ROLE) == "leaf"]
    pairs = [
        (score, i, j) for i, r in enumerate(requests) for j, leaf in enumerate(leaves) if (score := _score(r, leaf)) > 0
    ]
    found: dict[int, int] = {}
    for _, i, j in sorted(pairs, reverse=True):
        if i not in found and j not in found.values():
            found[i] = j
    calls = tuple(_call(requests[i], leaves[j], out, raw) for i, j in sorted(found.items()))
    rest = [request for i, request in enumerate(requests) if i not in found]
    missing = tuple(r for r in rest if r["status"] == 200 or not any(_contains(leaf, r) for leaf in leaves))
    return Matched(calls, missing, tuple(leaf for j, leaf in enumerate(leaves) if j not in found.values()))


def _score(request: Request, leaf: Record) -> float:
    says = leaf.attributes.get
    score = 0.0
    wanted, said = request.get("response_id"), says("gen_ai.response.id")
    if wanted and said:
        score += 100 if wanted == said else _OTHER_ID
    score += _score_of_time(request, leaf)
    usage = request.get("usage") or {}
    score += 5 * bool(usage.get("output_tokens") == says("gen_ai.usage.output_tokens"))
    score += 3 * bool(request["request_model"] == says("gen_ai.request.model"))
    asked = (request.get("request") or {}).get("last_user_text")
    score += 3 * bool(asked and any(asked in text for text in leaf.texts))
    distance_ns: int = abs(request["timing"]["received_unix_ns"] - leaf.start_unix_ns)
    return score - distance_ns / 1e9


def _score_of_time(request: Request, leaf: Record) -> int:
    """A record without length comes behind its response, maybe right before the next request."""
    around, behind = _contains(leaf, request), _follows(leaf, request)
    if _is_a_moment(leaf):
        around, behind = behind, around
    return 20 if around else 10 if behind or _precedes(leaf, request) else -40


def _is_a_moment(leaf: Record) -> bool:
    return leaf.end_unix_ns - leaf.start_unix_ns < _MOMENT_NS


def _contains(leaf: Record, request: Request) -> bool:
    received = request["timing"]["received_unix_ns"]
    return bool(leaf.start_unix_ns - _CLOCK_SLACK_NS <= received <= leaf.end_unix_ns + _CLOCK_SLACK_NS)


def _precedes(leaf: Record, request: Request) -> bool:
    """Whether a span that ended when its stream was made, unread, can be of the request."""
    return bool(0 <= request["timing"]["received_unix_ns"] - leaf.end_unix_ns <= _LAZY_NS)


def _follows(leaf: Record, request: Request) -> bool:
    """Whether a record without length (a log of what a stream said) can tell of the request."""
    ended = request["timing"]["received_unix_ns"] + int(1e9 * (request["timing"].get("end_s") or 0))
    without_length = leaf.end_unix_ns - leaf.start_unix_ns < _SHORT_NS
    return without_length and -_CLOCK_SLACK_NS <= leaf.end_unix_ns - ended <= _LATE_NS


def _call(request: Request, leaf: Record, out: list[Record], raw: list[Record]) -> Call:
    spans = {leaf.span_id}
    spans |= {record.span_id for record in out if record.attributes.get(ROLE) == "duplicate" and _repeats(record, leaf)}
    return Call(request, leaf, _of(spans, out, leaf), _of(spans, raw, leaf))


def _repeats(record: Record, leaf: Record) -> bool:
    """Whether a duplicate is one of this leaf: the same response, or parent and child, one around the other."""
    ids = [entry.attributes.get("gen_ai.response.id") for entry in (record, leaf)]
    if all(ids):
        return bool(ids[0] == ids[1])
    around = record.start_unix_ns <= leaf.end_unix_ns and leaf.start_unix_ns <= record.end_unix_ns
    return record.trace_id == leaf.trace_id and (around or record.span_id == leaf.parent_id)


def _of(spans: set[bytes], records: list[Record], leaf: Record) -> tuple[Record, ...]:
    if not leaf.span_id:
        same = [record for record in records if record.name == leaf.name and record.start_unix_ns == leaf.start_unix_ns]
        return tuple(same)
    return tuple(sorted((r for r in records if r.span_id in spans), key=lambda r: r.span_id != leaf.span_id))
