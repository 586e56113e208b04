from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.thresholds import NEVER
from processors.sampling.tracestate import MalformedTraceState, TraceState


@pytest.mark.parametrize(
    ("text", "threshold", "randomness"),
    [
        ("", None, None),
        ("ot=th:8", 1 << 55, None),
        ("ot=th:0", 0, None),
        ("ot=rv:00000000000001", None, 1),
        ("a=b, ot=th:c;rv:ffffffffffffff ,c=d", 3 << 54, NEVER - 1),
        ("a=b,other=th:8", None, None),
        ("ot=th:", None, None),
        ("ot=th:C", None, None),
        ("ot=th:123456789abcdef", None, None),
        ("ot=rv:123", None, None),
        ("ot=th:8;rv:123", 1 << 55, None),
        ("ot=th", None, None),
        ("ot=" + "th:8;" + "x" * 252, None, None),
    ],
)
def test_what_is_read(text: str, threshold: int | None, randomness: int | None) -> None:
    state = TraceState.read(text)
    assert (state.threshold, state.randomness) == (threshold, randomness)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "ot=th:8"),
        ("a=b,c=d", "ot=th:8,a=b,c=d"),
        ("a=b,ot=th:4,c=d", "ot=th:8,a=b,c=d"),
        ("ot=th:4;x:y;rv:00000000000001", "ot=rv:00000000000001;th:8;x:y"),
        ("ot=th:bad;x:y", "ot=th:8;x:y"),
        (" a=b ,,\tc=d", "ot=th:8,a=b,c=d"),
    ],
)
def test_a_threshold_is_written(text: str, expected: str) -> None:
    state = TraceState.read(text)
    state.threshold = 1 << 55
    assert state.write() == expected


@pytest.mark.parametrize(("text", "expected"), [("ot=th:8", ""), ("ot=th:8;x:y,a=b", "ot=x:y,a=b"), ("a=b", "a=b")])
def test_a_threshold_is_erased(text: str, expected: str) -> None:
    state = TraceState.read(text)
    state.threshold = None
    assert state.write() == expected


def test_the_standards_bounds() -> None:
    long = TraceState.read("ot=" + ";".join(f"k{i}:{'v' * 20}" for i in range(10)))
    long.threshold = 1
    written = long.write()
    assert len(written) <= len("ot=") + 256
    assert written.startswith("ot=th:00000000000001;k0:")
    many = TraceState.read(",".join(f"k{i}=v" for i in range(32)))
    assert many.write().count("=") == 32
    many.threshold = 0
    assert many.write().split(",") == ["ot=th:0", *(f"k{i}=v" for i in range(31))]


# W3C Trace Context 3.3.1 and OpenTelemetry, "TraceState: Handling".
@pytest.mark.parametrize(
    "text",
    [
        "=", "a", "a=", "=b", "A=b", "1=b", "a=b=c", "a=\u00e9", "a=b\n", "a=b,c", "a b=c", "@a=b", "a@=b", "a@1=b",
        "k" * 257 + "=v", "k=" + "v" * 257, "t" * 242 + "@s=v", "t@" + "s" * 15 + "=v",
        ",".join(f"k{i}=v" for i in range(33)), ",".join(f"k{i}={'v' * 48}" for i in range(20)),
        "ot=", "ot=th", "ot=th:", "ot=th:g", "ot=th:C", "ot=rv:0", "ot=;th:8", "ot=th:8;", "ot=1:2", "ot=a:b:c",
        "ot=k:" + "v" * 255,
    ],
)  # fmt: skip
def test_what_is_malformed(text: str) -> None:
    with pytest.raises(MalformedTraceState):
        TraceState.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "a=b", " a=b ,,\tc=d ", "1t-x@s*/=v", "a=b c", "ot=th:8;rv:00000000000000;x1:A.b_-", "ot=x:,a=b",
        ",".join(f"k{i}=v" for i in range(32)), "k" * 256 + "=v", "k=" + "v" * 256, "ot=k:" + "v" * 254,
    ],
)  # fmt: skip
def test_what_is_well_formed(text: str) -> None:
    assert TraceState.parse(text) == TraceState.read(text)


_WORDS = st.text("abcdefxyz0123456789", min_size=1, max_size=6).map(lambda word: f"k{word}")
_STATES = st.builds(
    TraceState,
    th=st.integers(0, NEVER - 1).map(lambda t: f"{t:014x}".rstrip("0") or "0") | st.just(""),
    rv=st.integers(0, NEVER - 1).map("{:014x}".format) | st.just(""),
    others=st.lists(st.tuples(_WORDS, _WORDS).map(":".join), max_size=5).map(tuple),
    members=st.lists(st.tuples(_WORDS, _WORDS).map("=".join), max_size=5).map(tuple),
)


@given(_STATES)
def test_what_is_written_is_read_again(state: TraceState) -> None:
    assert TraceState.read(state.write()) == state


@given(st.text(max_size=80) | st.text("ot=hrv:;,089af ", max_size=40), st.none() | st.integers(0, NEVER - 1))
def test_any_text(text: str, threshold: int | None) -> None:
    state = TraceState.read(text)
    state.threshold = threshold
    again = TraceState.read(state.write())
    assert (again.threshold, again.randomness) == (threshold, state.randomness)
    assert again.members == state.members[: 31 if state.th or state.rv or state.others else 32]
