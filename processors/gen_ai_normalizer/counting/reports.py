"""What is remembered of a record that reports a call, and when two such reports mean the same call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias, Union

Source = tuple[int, int]
"""Who reported: hashes of the library (the scope's name; apart for its events) and of the process."""

NOT_A_SPAN: Final = b"log"
"""Stands for the span id of a log record; no span has three bytes of id."""
_MS: Final = 1_000_000
_SAME_CLOCK_NS: Final = 2 * _MS
"""Two libraries of a process read the clock one after the other."""
_OTHER_CLOCK_NS: Final = 100 * _MS
"""Clocks of machines that keep time."""
_SERVER_NS: Final = 5_000 * _MS
"""Clocks of machines that do not: a server's span is known for one by its kind, so times may say less."""
_LOG_NS: Final = 1_000 * _MS
"""An event is written some time after the answer, when its writer has read it all."""


class Report(NamedTuple):
    """A record that reports a call. All fields have a fixed size: texts are kept as hashes of 64 bits."""

    span_id: bytes
    parent_id: bytes
    """Of a log record: the span in which it was written."""
    source: Source
    start_ns: int
    end_ns: int
    input_tokens: int | None
    output_tokens: int | None
    model: int
    """0: not known."""
    response: int
    """Response id; 0: not known."""
    is_server: bool
    """Whether it is the view of a gateway or an inference server."""
    first: Report | None
    """The report of the same call that counts; None where it is this one."""

    @property
    def call(self) -> Report:
        """The report that counts."""
        return self.first or self


Note: TypeAlias = Union[  # noqa: UP007 - refers to itself
    tuple[bytes, bytes, Source, int, int, int | None, int | None, int, int, bool, Report | None], Report
]
"""The fields of a report. A plain tuple is made in a third of the time, and most calls are compared with no other."""
RESPONSE: Final = 8
"""Where the response stands in a note."""


def as_report(note: Note) -> Report:
    """A note as what can be compared."""
    return note if isinstance(note, Report) else Report._make(note)


def same_call(report: Report, candidates: Sequence[Report], trace: Sequence[Report]) -> Report | None:
    """The report among candidates of its trace, newest first, that means the same call as this one.

    In the order of what proves most: the same record once more; the same response; parent and child; one around the
    other, by different libraries. A library reports a call once, so that in the last case each of several calls with
    the same counts is matched once; `trace` has all reports, to see that.
    """
    for other in candidates:
        if is_same_record(report, other):
            return other
    for other in candidates:
        if report.response and other.response == report.response and _repeats_response(report, other):
            return other
    for other in candidates:
        if _linked(report, other) and _repeats_as_relative(report, other) and not _is_taken(report, other.call, trace):
            return other
    for counts in (_equal_counts, _similar_counts):
        for other in candidates:
            if _repeats_as_neighbour(report, other, counts) and not _has_reported(report.source, other.call, trace):
                return other
    return None


def sums_up(report: Report, others: Iterable[Report]) -> Report | None:
    """One of several calls beneath a span whose counts are what the span says they count together."""
    parts = [other for other in others if other.parent_id == report.span_id and other.first is None]
    is_sum = (
        len(parts) > 1
        and report.input_tokens == sum(part.input_tokens or 0 for part in parts)
        and (report.output_tokens or 0) == sum(part.output_tokens or 0 for part in parts)
    )
    return parts[0] if is_sum else None


def repeats_elsewhere(report: Report, others: Iterable[Report]) -> Report | None:
    """The report of another trace with the same response that means the same call.

    A test server may give one response id to every call: so times are compared, and a library of one process, which
    reports a call once, is not believed to have put it into two traces.
    """
    for other in others:
        if _is_same_event(report, other):
            return other
        if other.source != report.source and overlap(report, other) and not _loses_counts(report, other):
            return other
    return None


def repeats_beside(report: Report, others: Sequence[Report]) -> Report | None:
    """The report of another library of the process, in another trace or none, of the same call.

    Some libraries do not make their span the current one: what they are around becomes a trace of its own, and both
    spans have no parent. Some write events without the ids of the span.
    """
    for other in others:
        if _is_same_event(report, other):
            return other
        if (
            other.source[0] != report.source[0]
            and (other.model == report.model or not other.model or not report.model)
            and _may_be_apart(report, other)
            and _agree(report, other)
            and not _loses_counts(report, other)
            and not _contradict(report, other)
            and nested(report, other)
            and not _has_reported(report.source, other.call, others)
        ):
            return other
    return None


def _may_be_apart(report: Report, other: Report) -> bool:
    """Whether one is a root, or an event; an event without counts says too little to be told by its time."""
    if NOT_A_SPAN in (other.span_id, report.span_id):
        return (report.input_tokens, report.output_tokens) == (other.input_tokens, other.output_tokens)
    return not (other.parent_id and report.parent_id)


def _agree(report: Report, other: Report) -> bool:
    """Whether the counts are the same as far as both know them."""
    pairs = ((report.input_tokens, other.input_tokens), (report.output_tokens, other.output_tokens))
    return all(one == another or one is None or another is None for one, another in pairs)


def is_same_record(report: Report, other: Report) -> bool:
    """Whether a record of the same trace came again."""
    if report.span_id != NOT_A_SPAN:
        return other.span_id == report.span_id
    return _is_same_event(report, other)


def _is_same_event(report: Report, other: Report) -> bool:
    """Whether a log record came again; spans of two traces are two, whatever their ids: some count them from one."""
    return report.span_id == NOT_A_SPAN and report[:9] == other[:9]


def _linked(report: Report, other: Report) -> bool:
    """Whether one is the other's parent; a log record's parent is the span in which it was written."""
    return other.span_id == report.parent_id or other.parent_id == report.span_id


def _repeats_response(report: Report, other: Report) -> bool:
    return (_linked(report, other) or overlap(report, other)) and not _loses_counts(report, other)


def _repeats_as_relative(report: Report, other: Report) -> bool:
    if _loses_counts(report, other):
        return False
    if report.is_server != other.is_server:
        return True
    if not nested(report, other):
        return False
    if report.source[0] == other.source[0]:
        return _equal_counts(report, other) and not _contradict(report, other)
    return _similar_counts(report, other) or report.input_tokens is report.output_tokens is None


def _repeats_as_neighbour(report: Report, other: Report, counts: Callable[[Report, Report], bool]) -> bool:
    if (
        report.source[0] == other.source[0]
        or _contradict(report, other)
        or _loses_counts(report, other)
        or not nested(report, other)
    ):
        return False
    if report.is_server != other.is_server and report.input_tokens is report.output_tokens is None:
        return True
    return counts(report, other)


def _loses_counts(report: Report, other: Report) -> bool:
    """Whether this report has the counts that the one before lacked: better a call too many than tokens lost."""
    call = other.call
    return call.input_tokens is None and report.input_tokens is not None


def _equal_counts(report: Report, other: Report) -> bool:
    if report.input_tokens is report.output_tokens is None:
        return report.model == other.model
    return report.input_tokens == other.input_tokens and report.output_tokens == other.output_tokens


def _similar_counts(report: Report, other: Report) -> bool:
    """Equal counts; or, for one model, one of both, since libraries differ in what they add up."""
    if _equal_counts(report, other):
        return True
    if not report.model or report.model != other.model:
        return False
    return bool(report.input_tokens and report.input_tokens == other.input_tokens) or bool(
        report.output_tokens and report.output_tokens == other.output_tokens
    )


def _contradict(report: Report, other: Report) -> bool:
    """Whether they name different responses."""
    return bool(report.response and other.response and report.response != other.response)


def _has_reported(source: Source, call: Report, known: Iterable[Report]) -> bool:
    return any(other.call == call and other.source[0] == source[0] for other in known)


def _is_taken(report: Report, call: Report, trace: Sequence[Report]) -> bool:
    """Whether another record of this library was taken for a report of the call by nothing but its times.

    Of calls that look alike it may have been the wrong one: then this one stands for what the other really reports.
    """
    reports = [other for other in trace if other.call == call]
    return any(
        other.source == report.source
        and not (other != call and other.response and other.response == call.response)
        and not _linked(other, report)
        and not any(_linked(other, relative) for relative in reports)
        for other in reports
    )


def _slack_ns(report: Report, other: Report) -> int:
    """How far apart the clocks of both may be."""
    if report.source[1] == other.source[1]:
        is_log = NOT_A_SPAN in (report.span_id, other.span_id)
        return _LOG_NS if is_log else _SAME_CLOCK_NS
    return _SERVER_NS if report.is_server or other.is_server else _OTHER_CLOCK_NS


def overlap(report: Report, other: Report) -> bool:
    """Whether both went on at the same time."""
    slack = _slack_ns(report, other)
    return other.start_ns <= report.end_ns + slack and report.start_ns <= other.end_ns + slack


def nested(report: Report, other: Report) -> bool:
    """Whether one went on within the other."""
    slack = _slack_ns(report, other)
    return contains(report, other, slack) or contains(other, report, slack)


def contains(outer: Report, inner: Report, slack_ns: int = _OTHER_CLOCK_NS) -> bool:
    """Whether one went on all the time that the other did."""
    return inner.start_ns + slack_ns >= outer.start_ns and inner.end_ns <= outer.end_ns + slack_ns
