"""Scanning: summaries and facts of traces, equal to what a plain walk over the spans finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import set_any_value
from processors.sampling.thresholds import randomness_of
from processors.tail_sampling.policy import SpanFacts
from processors.tail_sampling.scanning import Scanner
from processors.trace_buffer.dividing import divide
from processors.trace_buffer.heads import Heads
from processors.trace_buffer.trace import NO_TIME, Trace

ID = bytes(range(16))


@dataclass(frozen=True)
class Seen:
    """Remembers what it was shown."""

    keys: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()

    def begin(self) -> list[Any]:
        return []

    def add(self, so_far: list[Any], span: SpanFacts) -> list[Any]:
        mine = self.keys | self.reads
        return [*so_far, (span.pb.name, _of(span.attributes, mine), _of(span.resource, mine))]


def _of(attributes: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if key in names}


def span(name: str = "", attributes: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    message = Span(trace_id=ID, span_id=b"12345678", name=name, **fields)
    for key, value in (attributes or {}).items():
        set_any_value(message.attributes.add(key=key).value, value)
    return message


def scanned(watches: list[Any], *spans: Span, resource: Mapping[str, Any] | None = None, again: bool = False) -> Trace:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (resource or {}).items():
        set_any_value(group.resource.attributes.add(key=key).value, value)
    group.scope_spans.add().spans.extend(spans)
    scanner = Scanner(watches)
    trace = Trace(ID, randomness_of(ID), 0.0, [watch.begin() for watch in watches])
    parts = divide(parse(Signal.TRACES, request.SerializeToString()), Heads())
    for _, head, body, messages in parts:
        scanner.scan(trace, head, body, messages)
    if again:
        other = Scanner(watches)
        other.scan_again(trace, [(head, body) for _, head, body, _ in parts])
    return trace


def test_times_are_the_widest() -> None:
    trace = scanned(
        [],
        span(start_time_unix_nano=20, end_time_unix_nano=30),
        span(start_time_unix_nano=10, end_time_unix_nano=15),
        span(start_time_unix_nano=25, end_time_unix_nano=40),
    )
    assert (trace.start_unix_ns, trace.end_unix_ns) == (10, 40)


def test_a_span_without_start_moves_nothing() -> None:
    assert scanned([], span()).start_unix_ns == NO_TIME
    assert scanned([], span(start_time_unix_nano=5), span()).start_unix_ns == 5


@pytest.mark.parametrize(
    ("codes", "bits"), [([], 1), ([Status.STATUS_CODE_OK], 2), ([Status.STATUS_CODE_ERROR, 0], 5), ([77], 0)]
)
def test_status_codes(codes: list[int], bits: int) -> None:
    spans = [span(status=Status(code=code)) for code in codes] or [span()]  # type: ignore[arg-type]  # 77 is none
    assert scanned([], *spans).status_codes == bits


@pytest.mark.parametrize(("parent", "has_root"), [(b"", True), (bytes(8), True), (b"12345678", False)])
def test_root(parent: bytes, has_root: bool) -> None:
    assert scanned([], span(parent_span_id=parent)).has_root is has_root


@pytest.mark.parametrize(
    ("states", "randomness", "was_sampled"),
    [
        (["vendor=1"], None, False),
        (["ot=th:8"], None, True),
        (["ot=rv:000000000000ff"], 255, True),
        (["ot=rv:xyz"], None, False),
        (["ot=rv:000000000000ff", "ot=rv:000000000000aa"], 255, True),
    ],
)
def test_tracestate(states: list[str], randomness: int | None, was_sampled: bool) -> None:
    trace = scanned([], *(span(trace_state=state) for state in states))
    assert trace.has_tracestate
    assert trace.randomness == (randomness_of(ID) if randomness is None else randomness)
    assert trace.was_sampled is was_sampled


def test_a_trace_without_tracestate() -> None:
    trace = scanned([], span())
    assert not trace.has_tracestate
    assert not trace.was_sampled


def test_a_watch_without_keys_sees_each_span() -> None:
    trace = scanned([Seen()], span("a"), span("b", {"k": 1}))
    assert trace.facts == [[("a", {}, {}), ("b", {}, {})]]


def test_a_watch_sees_spans_with_its_keys_alone() -> None:
    trace = scanned([Seen(frozenset({"k"}))], span("a"), span("b", {"k": 1, "other": 2}), span("c", {"kk": 1}))
    assert trace.facts == [[("b", {"k": 1}, {})]]


def test_a_key_of_the_resource_shows_each_span() -> None:
    trace = scanned([Seen(frozenset({"k"}))], span("a"), span("b", {"k": 1}), resource={"k": "r", "x": 1})
    assert trace.facts == [[("a", {}, {"k": "r"}), ("b", {"k": 1}, {"k": "r"})]]


def test_what_is_only_read_wakes_no_watch() -> None:
    watch = Seen(frozenset({"k"}), frozenset({"model"}))
    trace = scanned([watch], span("a", {"model": "m"}), span("b", {"k": 1, "model": "m"}))
    assert trace.facts == [[("b", {"k": 1, "model": "m"}, {})]]


def test_a_name_inside_a_text_is_no_attribute() -> None:
    assert scanned([Seen(frozenset({"k.long"}))], span("a", {"text": "k.long"})).facts == [[]]


def test_of_a_repeated_key_the_first_counts() -> None:
    twice = span("a")
    for value in (1, 2):
        set_any_value(twice.attributes.add(key="k").value, value)
    assert scanned([Seen(frozenset({"k"}))], twice).facts == [[("a", {"k": 1}, {})]]


NAMES = ["a", "b", "gen_ai.usage.input_tokens", "penstock.cost.usd", "x.y"]
values = st.one_of(
    st.text(max_size=3), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.lists(st.text(max_size=2)),
    st.none(),
)  # fmt: skip
attributes = st.dictionaries(st.sampled_from([*NAMES, "p", "q" * 100]), values, max_size=6)
names = st.frozensets(st.sampled_from(NAMES), max_size=3)
watches = st.lists(st.builds(Seen, names, names), max_size=3)


@given(
    watches, st.lists(attributes, min_size=1, max_size=4), attributes, st.booleans(), st.sampled_from(["", "t" * 9000])
)
def test_facts_are_those_of_a_plain_walk(
    watches: list[Seen], spans: list[dict[str, Any]], resource: dict[str, Any], again: bool, text: str
) -> None:
    trace = scanned(watches, *(span(text, one) for one in spans), resource=resource, again=again)
    for watch, fact in zip(watches, trace.facts, strict=True):
        mine = watch.keys | watch.reads
        assert fact == [
            (text, _of(one, mine), _of(resource, mine))
            for one in spans
            if not watch.keys or watch.keys & (one.keys() | resource.keys())
        ]


def test_scanned_again_facts_are_the_same() -> None:
    found = [Seen(), Seen(frozenset({"k"}))]
    spans = [span("a", {"k": 1.5}), span("b"), span("c", {"k": True})]
    assert scanned(found, *spans, again=True).facts == scanned(found, *spans).facts
