"""Remembers calls for a while, to see that a second span reports one of them again."""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals import Span

_GENERATION: Final = 16384
"""Entries of a generation; two are kept, two for each call: about 16,000 calls, some 10 MiB."""
_SLACK_NS: Final = 2_000_000
"""Two clocks of a process may disagree this much about which span is the inner one."""

_Report = tuple[bytes, bytes, str, int, int]
"""Who reported a call: span id, parent's id, scope, start and end (ns). A plain tuple: one is made for every call."""


class Calls:
    """Sees that a call is reported twice: a framework around a provider's SDK, two instrumentations of one client.

    Two spans report one call when they name the same response and went on at the same time; or when they count the same
    tokens in one trace (without counts: ask for the same model), one lies within the other, and they come from
    different libraries or are parent and child. The span that came first counts: spans end from the inside out, so that
    is mostly the innermost one. Times are compared because test servers answer with one response id over and over.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._young: dict[Any, _Report] = {}
        self._old: dict[Any, _Report] = {}

    def is_second(self, span: Span) -> bool:
        """Whether another span reported this call before; a span that comes again is the same report."""
        get = span.attributes.get
        pb = span.pb
        report = (
            pb.span_id,
            pb.parent_span_id,
            span.scope.pb.name,
            pb.start_time_unix_nano,
            pb.end_time_unix_nano,
        )
        response_id = get("gen_ai.response.id")
        if isinstance(response_id, str):
            first = self._first(response_id, report)
            if first is not report and first[0] != report[0]:
                if _overlap(first, report):
                    return True
                self._young[response_id] = report
        counted_in, counted_out = get("gen_ai.usage.input_tokens"), get("gen_ai.usage.output_tokens")
        if isinstance(counted_in, int) and isinstance(counted_out, int):
            key: tuple[Any, ...] = (pb.trace_id, counted_in, counted_out)
        else:
            key = (pb.trace_id, str(get("gen_ai.request.model")))
        first = self._first(key, report)
        if first is not report and first[0] != report[0]:
            if _around(first, report):
                return True
            self._young[key] = report
        return False

    def _first(self, key: Any, report: _Report) -> _Report:
        """The report that is remembered for a key: this one where there is none."""
        found = self._young.setdefault(key, report)
        if found is report:
            found = self._old.get(key, report)
            if len(self._young) >= _GENERATION:
                self._old, self._young = self._young, {}
        return found


def _overlap(first: _Report, second: _Report) -> bool:
    """Whether both went on at the same time."""
    return first[3] <= second[4] and second[3] <= first[4]


def _around(first: _Report, second: _Report) -> bool:
    """Whether one of both is around the other and by another library, or its direct parent."""
    related = first[0] == second[1] or second[0] == first[1] or first[2] != second[2]
    return related and (_within(first, second) or _within(second, first))


def _within(inner: _Report, outer: _Report) -> bool:
    return inner[3] + _SLACK_NS >= outer[3] and inner[4] <= outer[4] + _SLACK_NS
