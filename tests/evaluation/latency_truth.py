"""When the first token of a call came, by the provider's own clock, and what the source recorded about it.

A client's first chunk comes between the first byte of the answer (a chunk with the role alone, which chat completions
begin with) and the first chunk with content. The events that open a stream of the Responses API (`response.created`)
come before the model has begun: there only content counts. Libraries count from the start of their span or from when
they sent the request; what lies between is no error of theirs, so that a value is held against both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.evaluation.calls import Call, Request
    from tests.evaluation.records import Record

CLOSE_S: Final = 0.05
"""A fact is one about the first token when it is no further from it."""
_SLACK_S: Final = 0.005
"""Clocks of one machine, read one after the other, and milliseconds that were rounded."""
_FACT: Final = re.compile(r"ttft|first_?(chunk|token)|time_to_first|completion_start")
_CHUNK: Final = re.compile(r"chunk|token|stream|delta")
_CHUNK_RECORD: Final = re.compile(r"chunk|delta|gen_ai\.choice")
_SHARES: Final = (1.0, 1e-3, 1e-6, 1e-9)
"""Units from seconds down."""
_EPOCH_S: Final = 1e9
"""Seconds since 1970 from 2001 on: above them a number is a time of day, in some unit."""
_OK: Final = 200


@dataclass(frozen=True)
class Truth:
    """A streamed call by the provider's clock; seconds since the start of the span that counts the call."""

    offset_s: float
    """When the request arrived."""
    first_byte_s: float
    """Since the request arrived, as all below."""
    first_content_s: float
    last_content_s: float
    end_s: float
    tokens: int | None
    """What was counted of the visible answer; None where it was cut."""

    def error_s(self, value: float) -> float:
        """How far a time to the first token is from the first content, counted from where it is nearer."""
        return min((value - self.first_content_s, value - self.offset_s - self.first_content_s), key=abs)

    def is_met_by(self, value: float) -> bool:
        """Whether a time is that of the first chunk, by either count."""
        return any(
            self.first_byte_s - _SLACK_S <= value - start_s <= self.first_content_s + CLOSE_S
            for start_s in {0.0, max(self.offset_s, 0.0)}
        )

    @property
    def per_token_s(self) -> tuple[float, float] | None:
        """Least and most time for each token but the first: between chunks with content, and from byte to end."""
        if self.tokens is None or self.tokens <= 1:
            return None
        least, most = self.last_content_s - self.first_content_s, self.end_s - self.first_byte_s
        return least / (self.tokens - 1), most / (self.tokens - 1)


def truth_of(call: Call) -> Truth | None:
    """The provider's clock; None for a call that was not streamed or brought no content."""
    request = call.request
    timing = request["timing"]
    content_s = timing.get("first_content_s")
    if not request["stream"] or request["status"] != _OK or content_s is None:
        return None
    chunk_s = timing["chunk_s"]
    return Truth(
        offset_s=(timing["received_unix_ns"] - call.leaf.start_unix_ns) / 1e9,
        first_byte_s=content_s if request["api"] == "responses" else timing["first_byte_s"],
        first_content_s=content_s,
        last_content_s=chunk_s[-1],
        end_s=timing["end_s"] or chunk_s[-1],
        tokens=_tokens(request),
    )


def _tokens(request: Request) -> int | None:
    """Tokens of the visible answer: what reasons unseen is done when the first chunk comes."""
    usage = request.get("usage") or {}
    if request["timing"]["client_disconnected"] or request["error"] or request["n_choices"] != 1 or not usage:
        return None
    hidden = usage.get("reasoning_tokens") or 0 if request["provider"] != "anthropic" else 0
    return int(usage["output_tokens"]) - hidden


def recorded_s(call: Call) -> Iterator[float]:
    """All that the records of a call could mean as the time of its first token, in any unit, since the span's start."""
    start_ns, length_s = call.leaf.start_unix_ns, (call.leaf.end_unix_ns - call.leaf.start_unix_ns) / 1e9
    for record in call.raw:
        for value_s in (*_attributes(record, start_ns), *_events(record, start_ns)):
            if 0 < value_s <= length_s + _SLACK_S or call.leaf.signal == "logs":
                yield value_s
    yield from _log_records(call, length_s)


def _attributes(record: Record, start_ns: int) -> Iterator[float]:
    for path, value in record.leaves:
        if _FACT.search(path.lower()):
            yield from _readings(value, start_ns)


def _readings(value: Any, start_ns: int) -> Iterator[float]:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return
        # A time without a zone is of the clock on the machine's wall; the recordings' was UTC.
        yield (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - start_ns / 1e9
    elif isinstance(value, int | float) and not isinstance(value, bool):
        start_s = start_ns / 1e9 if value >= _EPOCH_S else 0.0
        yield from (value * share - start_s for share in _SHARES)
        yield from (value * share for share in _SHARES if start_s)


def _events(record: Record, start_ns: int) -> Iterator[float]:
    for (name, _), moment_ns in zip(record.events, record.event_unix_ns, strict=False):
        if _CHUNK.search(name.lower()):
            yield (moment_ns - start_ns) / 1e9


def _log_records(call: Call, length_s: float) -> Iterator[float]:
    """When the first of several log records about chunks was written."""
    logs = [record for record in call.raw if record.signal == "logs" and _CHUNK_RECORD.search(_name(record))]
    if len(logs) > 1:
        first_s = (min(record.start_unix_ns for record in logs) - call.leaf.start_unix_ns) / 1e9
        if 0 < first_s <= length_s:
            yield first_s


def _name(record: Record) -> str:
    return str(record.name or record.attributes.get("event.name"))
