"""One call, two spans."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signals import Span
from pipeline.testing import START_NS, traces
from processors.gen_ai_normalizer.calls import Calls

USAGE: dict[str, Any] = {"gen_ai.usage.input_tokens": 53, "gen_ai.usage.output_tokens": 48}


def span(
    attributes: dict[str, Any], number: int, *, scope: str = "a", trace: int = 1, parent: int = 0, at_s: float = 0
) -> Span:
    (found,) = traces(attributes, scope=scope).records()
    assert isinstance(found, Span)
    found.trace_id, found.span_id = trace.to_bytes(16, "big"), number.to_bytes(8, "big")
    found.parent_span_id = parent.to_bytes(8, "big") if parent else b""
    found.start_time_unix_nano = START_NS + round(at_s * 1e9)
    found.end_time_unix_nano = found.start_time_unix_nano + 1_000_000_000
    return found


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (span({**USAGE, "gen_ai.response.id": "r1"}, 2, scope="b", trace=2), True),
        (span({**USAGE, "gen_ai.response.id": "r1"}, 2, trace=2, at_s=5), False),
        (span({**USAGE, "gen_ai.response.id": "r1"}, 1, at_s=0), False),
        (span(USAGE, 2, scope="b"), True),
        (span(USAGE, 2, scope="b", trace=2), False),
        (span(USAGE, 2, parent=1), True),
        (span(USAGE, 2), False),
        (span({**USAGE, "gen_ai.usage.output_tokens": 49}, 2, scope="b"), False),
        (span(USAGE, 2, scope="b", at_s=3), False),
    ],
    ids=["same response", "one id over and over", "same span again", "another library around it", "another trace",
         "its parent", "a parallel call", "other tokens", "a later call"],
)  # fmt: skip
def test_second_reports(second: Span, expected: bool) -> None:
    calls = Calls()
    assert not calls.is_second(span({**USAGE, "gen_ai.response.id": "r1"}, 1))
    assert calls.is_second(second) is expected


def test_failed_calls_are_known_by_their_model() -> None:
    calls = Calls()
    assert not calls.is_second(span({"gen_ai.request.model": "gpt-4o"}, 1))
    assert calls.is_second(span({"gen_ai.request.model": "gpt-4o"}, 2, scope="b"))
    assert not calls.is_second(span({"gen_ai.request.model": "gpt-4o-mini"}, 3, scope="b"))


def test_memory_is_bounded() -> None:
    calls = Calls()
    for number in range(1, 60_000):
        calls._first(number, (b"", b"", "", 0, 0))
    assert len(calls._young) + len(calls._old) <= 2 * 16384
