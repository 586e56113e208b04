"""Remembers calls for a while, to see that a second span reports one of them again."""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals import Span

_GENERATION: Final = 8192
"""Entries of a generation; two are kept: about 16,000 calls, some 8 MiB."""


class _Memory:
    """The last entries: when a generation is full, the one before it is forgotten."""

    def __init__(self) -> None:
        self._young: dict[Any, Any] = {}
        self._old: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        found = self._young.get(key)
        return self._old.get(key) if found is None else found

    def put(self, key: Any, value: Any) -> None:
        if len(self._young) >= _GENERATION:
            self._old, self._young = self._young, {}
        self._young[key] = value


class Calls:
    """Sees that a call is reported twice: by two spans of a trace with one response id, or by a span right around
    another with the same usage (a framework around a provider's SDK, two instrumentations of one client).

    The span that came first counts. Spans end from the inside out, so that is mostly the innermost one.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._responses = _Memory()
        self._spans = _Memory()
        self._parents = _Memory()

    def is_second(self, span: Span) -> bool:
        """Whether another span reported this call before; a span that comes again is the same report."""
        attributes = span.attributes
        trace_id, span_id = span.trace_id, span.span_id
        response_id = attributes.get("gen_ai.response.id")
        if isinstance(response_id, str):
            first = self._responses.get((trace_id, response_id))
            if first is None:
                self._responses.put((trace_id, response_id), span_id)
            elif first != span_id:
                return True
        counted_in, counted_out = (
            attributes.get("gen_ai.usage.input_tokens"),
            attributes.get("gen_ai.usage.output_tokens"),
        )
        if not isinstance(counted_in, int) or not isinstance(counted_out, int):
            return False
        return self._repeats(trace_id, span_id, span.parent_span_id, (counted_in, counted_out))

    def _repeats(self, trace_id: bytes, span_id: bytes, parent_id: bytes, usage: tuple[int, int]) -> bool:
        """Whether the span above or one right below reported the same usage."""
        if self._parents.get((trace_id, span_id)) == usage:
            return True
        if parent_id:
            if self._spans.get((trace_id, parent_id)) == usage:
                return True
            self._parents.put((trace_id, parent_id), usage)
        self._spans.put((trace_id, span_id), usage)
        return False
