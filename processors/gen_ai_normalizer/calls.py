"""Remembers calls for a while, to see that a second span reports one of them again."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.signals import Span

_GENERATION: Final = 8192
"""Entries of a generation; two are kept: about 16,000 calls, some 8 MiB."""
_SLACK_NS: Final = 2_000_000
"""Two clocks of a process may disagree this much about which span is the inner one."""


class Report(NamedTuple):
    """A span that reported a call."""

    span_id: bytes
    parent_id: bytes
    scope: str
    start_ns: int
    end_ns: int

    def overlaps(self, other: Report) -> bool:
        """Whether both went on at the same time."""
        return self.start_ns <= other.end_ns and other.start_ns <= self.end_ns

    def is_within(self, other: Report) -> bool:
        """Whether this one lies in the other."""
        return self.start_ns + _SLACK_NS >= other.start_ns and self.end_ns <= other.end_ns + _SLACK_NS

    def is_around(self, other: Report) -> bool:
        """Whether one of both is around the other and is by another library or its direct parent."""
        nested = self.is_within(other) or other.is_within(self)
        related = self.span_id == other.parent_id or self.parent_id == other.span_id
        return nested and (related or self.scope != other.scope)


class _Memory:
    """The last reports: when a generation is full, the one before it is forgotten."""

    def __init__(self) -> None:
        self._young: dict[Any, Report] = {}
        self._old: dict[Any, Report] = {}

    def swap(self, key: Any, report: Report) -> Report | None:
        """Remember a report; returns the one that was there."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if len(self._young) >= _GENERATION:
                self._old, self._young = self._young, {}
        self._young[key] = report
        return found

    def keep(self, key: Any, report: Report) -> None:
        """Put a report back in its place."""
        self._young[key] = report


class Calls:
    """Sees that a call is reported twice: a framework around a provider's SDK, two instrumentations of one client.

    Two spans report one call when they name the same response and went on at the same time; or when they count the same
    tokens in one trace, one lies within the other, and they come from different libraries or are parent and
    child. The span that came first counts: spans end from the inside out, so that is mostly the innermost one. Times
    are compared because test servers answer with one response id over and over.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._responses = _Memory()
        self._usages = _Memory()

    def is_second(self, span: Span) -> bool:
        """Whether another span reported this call before; a span that comes again is the same report."""
        attributes = span.attributes
        pb = span.pb
        report = Report(pb.span_id, pb.parent_span_id, span.scope.name, pb.start_time_unix_nano, pb.end_time_unix_nano)
        response_id = attributes.get("gen_ai.response.id")
        if isinstance(response_id, str):
            first = self._responses.swap(response_id, report)
            if first is not None and first.span_id != report.span_id and first.overlaps(report):
                self._responses.keep(response_id, first)
                return True
        tokens = (attributes.get("gen_ai.usage.input_tokens"), attributes.get("gen_ai.usage.output_tokens"))
        if not isinstance(tokens[0], int) or not isinstance(tokens[1], int):
            return False
        return self._counts_again((pb.trace_id, *tokens), report)

    def _counts_again(self, key: tuple[Any, ...], report: Report) -> bool:
        first = self._usages.swap(key, report)
        if first is not None and first.span_id != report.span_id and first.is_around(report):
            self._usages.keep(key, first)
            return True
        return False
