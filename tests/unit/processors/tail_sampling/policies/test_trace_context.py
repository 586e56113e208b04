"""Members of a tracestate, as W3C Trace Context 3.3.1 has them."""

from __future__ import annotations

import pytest

from processors.tail_sampling.policies.trace_context import (
    AnyTraceState,
    TraceStateConfig,
    TraceStatePolicy,
    members_of,
)
from processors.tail_sampling.policy import Setting

LONGEST_KEY = "k" * 256
LONGEST_VALUE = "v" * 256


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("a=b,c=d", {"a": "b", "c": "d"}),
        (" a=b \t,\tc=d", {"a": "b", "c": "d"}),
        ("a=b,,c=d", {"a": "b", "c": "d"}),
        ("a=b c", {"a": "b c"}),
        ("a= b", {"a": " b"}),
        ("a-b_c*d/9=x", {"a-b_c*d/9": "x"}),
        ("0tenant@system=x", {"0tenant@system": "x"}),
        (f"{LONGEST_KEY}={LONGEST_VALUE}", {LONGEST_KEY: LONGEST_VALUE}),
        (f"{LONGEST_KEY}k=v", {}),
        (f"k={LONGEST_VALUE}v", {}),
        ("a", {}),
        ("a=", {}),
        ("=b", {}),
        ("a=b=c", {}),
        ("A=b", {}),
        ("0a=b", {}),
        ("a@0system=b", {}),
        ("a=ü", {}),
        ("a=b,a=c", {}),
        (",".join(f"k{number}=v" for number in range(33)), {}),
    ],
)
def test_members(text: str, members: dict[str, str]) -> None:
    assert members_of(text) == members


def test_32_members_are_allowed() -> None:
    assert len(members_of(",".join(f"k{number}=v" for number in range(32)))) == 32


def test_values_that_cannot_stand_in_a_tracestate_are_left_out() -> None:
    config = TraceStateConfig(key="key", values=("", "v" * 252, "v" * 253))
    assert TraceStatePolicy("it", config, Setting()).watches == (AnyTraceState("key", frozenset({"v" * 252})),)
