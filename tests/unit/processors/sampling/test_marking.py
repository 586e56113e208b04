from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from processors.sampling.marking import ADJUSTED_COUNT, RULE, Mark
from processors.sampling.thresholds import ALWAYS, NEVER, adjusted_count_of, randomness_of, threshold_digits
from processors.sampling.tracestate import TraceState
from tests.strategies import messages

HALF = 1 << 55
HIGH_ID = b"\xff" * 16
LOW_ID = b"\x01" * 9 + b"\x00" * 7


def wire(spans: Sequence[Span]) -> bytes:
    return ScopeSpans(spans=spans).SerializeToString()


def marked(mark: Mark, *spans: Span, has_tracestate: bool = True) -> list[Span]:
    return list(ScopeSpans.FromString(mark.write(wire(spans), has_tracestate=has_tracestate)).spans)


def attributes(span: Span) -> dict[str, object]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "") for pair in span.attributes}


def span(trace_id: bytes = HIGH_ID, trace_state: str = "", **text: str) -> Span:
    made = Span(trace_id=trace_id, span_id=b"12345678", name="a", trace_state=trace_state)
    for key, value in text.items():
        made.attributes.add(key=key.replace("__", ".")).value.string_value = value
    return made


@pytest.mark.parametrize("has_tracestate", [True, False])
def test_threshold_rule_and_count(has_tracestate: bool) -> None:
    one, two = marked(Mark(HALF, "errors"), span(x="y"), span(), has_tracestate=has_tracestate)
    assert one.trace_state == two.trace_state == "ot=th:8"
    assert attributes(one) == {"x": "y", RULE: "errors", ADJUSTED_COUNT: 2.0}
    assert attributes(two) == {RULE: "errors", ADJUSTED_COUNT: 2.0}


def test_an_unknown_probability() -> None:
    (out,) = marked(Mark(None, "limited"), span(trace_state="ot=th:4;x:y,a=b", penstock__sampling__adjusted_count="7"))
    assert out.trace_state == "ot=x:y,a=b"
    assert attributes(out) == {RULE: "limited"}


def test_nothing_to_write_leaves_the_very_bytes() -> None:
    raw = wire([span(), span(x="y")])
    assert Mark(None).write(raw, has_tracestate=False) is raw


@pytest.mark.parametrize(
    ("trace_state", "trace_id", "expected"),
    [
        ("ot=th:4", HIGH_ID, "ot=th:8"),
        ("ot=th:c", HIGH_ID, "ot=th:c"),
        ("a=b", HIGH_ID, "ot=th:8,a=b"),
        ("ot=th:zz", HIGH_ID, "ot=th:8"),
        # A threshold that R does not reach is wrong.
        ("ot=rv:9fffffffffffff;th:c", HIGH_ID, "ot=rv:9fffffffffffff;th:8"),
        # R of this span is another than the one the trace was decided with: unknown.
        ("ot=rv:7fffffffffffff", HIGH_ID, "ot=rv:7fffffffffffff"),
        ("ot=th:0", LOW_ID, ""),
    ],
)
def test_spans_that_were_sampled_before(trace_state: str, trace_id: bytes, expected: str) -> None:
    (out,) = marked(Mark(HALF, "r"), span(trace_id, trace_state))
    assert out.trace_state == expected
    threshold = TraceState.read(expected).threshold
    assert attributes(out).get(ADJUSTED_COUNT) == (None if threshold is None else adjusted_count_of(threshold))


def test_marks_of_an_earlier_stage_are_replaced() -> None:
    before = marked(Mark(1 << 54, "early", attributes={"penstock.sampling.note": "x"}), span(x="y"))
    (out,) = marked(Mark(HALF, "late"), *before, has_tracestate=True)
    assert out.trace_state == "ot=th:8"
    assert attributes(out) == {"x": "y", "penstock.sampling.note": "x", RULE: "late", ADJUSTED_COUNT: 2.0}
    assert len(out.attributes) == 4


def test_randomness_of_a_session_is_written_once() -> None:
    mark = Mark(HALF, "r", randomness=HALF + 1)
    plain, told, other = marked(mark, span(LOW_ID), span(LOW_ID, "ot=rv:ffffffffffffff"), span(LOW_ID, "a=b"))
    assert plain.trace_state == "ot=rv:80000000000001;th:8"
    assert told.trace_state == "ot=rv:ffffffffffffff;th:8"
    assert other.trace_state == "ot=rv:80000000000001;th:8,a=b"
    (sampled,) = marked(mark, span(HIGH_ID, "ot=th:c"))
    assert sampled.trace_state == "ot=th:c"


def test_a_note_changes_no_weight() -> None:
    note = Mark(None, attributes={"penstock.sampling.dry_run": "drop"}, keeps_weights=True)
    raw = wire([span(trace_state="ot=th:4"), span()])
    one, two = ScopeSpans.FromString(note.write(raw)).spans
    assert (one.trace_state, two.trace_state) == ("ot=th:4", "")
    assert attributes(one) == attributes(two) == {"penstock.sampling.dry_run": "drop"}
    before = span(penstock__sampling__rule="early", penstock__sampling__dry_run="keep")
    (again,) = marked(note, before)
    assert attributes(again) == {RULE: "early", "penstock.sampling.dry_run": "drop"}


def test_spans_of_any_length() -> None:
    spans = [span(x="v" * length) for length in (0, 60, 100, 120, 16_300, 16_380, 70_000)]
    for has_tracestate in (False, True):
        out = marked(Mark(ALWAYS, "r"), *spans, has_tracestate=has_tracestate)
        assert [attributes(one)["x"] for one in out] == [attributes(one)["x"] for one in spans]
        assert {one.trace_state for one in out} == {"ot=th:0"}


@pytest.mark.parametrize("has_tracestate", [True, False])
def test_spans_kept_by_the_randomness_of_others(has_tracestate: bool) -> None:
    """Explicit randomness that is not on all spans of a trace: those without have that of the trace id."""
    for one in (span(LOW_ID), Span(name="none")):
        (out,) = marked(Mark(HALF, "r"), one, has_tracestate=has_tracestate)
        assert (out.trace_state, attributes(out)) == ("", {RULE: "r"})
    backwards = span().SerializeToString()
    backwards = backwards[28:] + backwards[18:28] + backwards[:18]
    for trace_id, expected in ((HIGH_ID, "ot=th:8"), (LOW_ID, "")):
        raw = backwards[:-16] + trace_id
        written = Mark(HALF, "r").write(b"\x12" + bytes([len(raw)]) + raw, has_tracestate=has_tracestate)
        assert [one.trace_state for one in ScopeSpans.FromString(written).spans] == [expected]


def test_spans_of_one_trace_with_different_tracestates() -> None:
    given = ["", "ot=th:c", "", "a=b", "a=b", "ot=th:c"]
    out = marked(Mark(HALF, "r"), *(span(trace_state=text) for text in given))
    assert [one.trace_state for one in out] == [
        "ot=th:8", "ot=th:c", "ot=th:8", "ot=th:8,a=b", "ot=th:8,a=b", "ot=th:c",
    ]  # fmt: skip
    assert [attributes(one)[ADJUSTED_COUNT] for one in out] == [2, 4, 2, 2, 2, 4]


def test_unknown_fields_stay() -> None:
    unknown = b"\xfa\x3f\x03abc"
    for one in (span(), span(trace_state="ot=th:4")):
        raw = one.SerializeToString() + unknown
        out = Mark(HALF, "r").write(b"\x12" + bytes([len(raw)]) + raw)
        assert unknown in out


_THRESHOLDS = st.sampled_from([ALWAYS, HALF, 1 << 54, NEVER - 1]) | st.integers(0, NEVER - 1)
_INCOMING = (
    st.just("")
    | st.builds(
        lambda threshold, randomness: f"ot=th:{threshold_digits(threshold)}{randomness}",
        _THRESHOLDS,
        st.just("") | st.integers(0, NEVER - 1).map(lambda r: f";rv:{r:014x}"),
    )
    | st.sampled_from(["a=b", "ot=rv:00000000000000", "ot=;;", "ot=th:xyz,c=d"])
)


@given(messages(Span, depth=3), _INCOMING, st.binary(min_size=16, max_size=16), st.none() | _THRESHOLDS)
def test_as_written_field_by_field(drawn: Span, incoming: str, trace_id: bytes, threshold: int | None) -> None:
    drawn.trace_state, drawn.trace_id = incoming, trace_id
    state = TraceState.read(incoming)
    randomness = randomness_of(trace_id) if state.randomness is None else state.randomness
    if threshold is not None:
        # A trace that is kept.
        threshold = min(threshold, randomness)
    raw = wire([drawn, drawn])
    for out in ScopeSpans.FromString(Mark(threshold, "r").write(raw, has_tracestate=bool(incoming))).spans:
        before = state.threshold if state.threshold is not None and state.threshold <= randomness else ALWAYS
        expected = None if threshold is None else max(threshold, before)
        written = TraceState.read(out.trace_state)
        assert written.threshold == expected
        assert written.threshold is None or randomness >= written.threshold
        assert (written.rv, written.others, written.members) == (state.rv, state.others, state.members)
        plain = Span.FromString(drawn.SerializeToString())
        plain.trace_state = out.trace_state
        plain.attributes.add(key=RULE).value.string_value = "r"
        if expected is not None:
            plain.attributes.add(key=ADJUSTED_COUNT).value.double_value = adjusted_count_of(expected)
        assert out.SerializeToString(deterministic=True) == plain.SerializeToString(deterministic=True)
