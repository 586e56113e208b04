"""Spans are taken out of the bytes as they are taken out of the message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.run import fuse
from pipeline.signals import Outcome, Signal
from pipeline.signals.intake import parse
from pipeline.testing import CollectingSink, make_host
from processors.probabilistic_sampler.cutting import MisalignedError, cut
from processors.probabilistic_sampler.processor import ProbabilisticSampler
from processors.probabilistic_sampler.spans import Fate
from processors.probabilistic_sampler.verdicts import Verdict
from tests.strategies import messages

KEPT = Verdict(kept=True, policy="")
DROPPED = Verdict(kept=False, policy="")
UNKNOWN = b"\xfa\x3f\x03abc"


def request(*names: str) -> bytes:
    made = ExportTraceServiceRequest()
    scope = made.resource_spans.add(schema_url="r").scope_spans.add(schema_url="s")
    for name in names:
        scope.spans.add(name=name)
    return made.SerializeToString()


def names(raw: bytes) -> list[str]:
    read = ExportTraceServiceRequest.FromString(raw)
    return [span.name for group in read.resource_spans for scope in group.scope_spans for span in scope.spans]


def test_spans_leave_and_others_get_a_tracestate() -> None:
    raw = request("a", "b" * 200, "c" * 20_000, "d") + UNKNOWN
    fates = [Fate(KEPT), Fate(KEPT, "ot=th:8"), Fate(KEPT, "ot=th:8"), Fate(DROPPED)]
    out = cut(raw, [[fates]])
    assert names(out) == ["a", "b" * 200, "c" * 20_000]
    assert UNKNOWN in out
    read = ExportTraceServiceRequest.FromString(out).resource_spans[0]
    assert (read.schema_url, read.scope_spans[0].schema_url) == ("r", "s")
    assert [span.trace_state for span in read.scope_spans[0].spans] == ["", "ot=th:8", "ot=th:8"]


def test_what_is_left_empty_leaves() -> None:
    raw = request("a") + request() + request("b") + b"\x0a\x00"
    out = ExportTraceServiceRequest.FromString(cut(raw, [[[Fate(DROPPED)]], [[]], [[Fate(KEPT)]], []]))
    assert [len(group.scope_spans) for group in out.resource_spans] == [1, 1, 0]


@pytest.mark.parametrize("fates", [[], [[]], [[[Fate(KEPT)]]], [[[Fate(KEPT)] * 3]], [[[Fate(KEPT)] * 2], []]])
def test_another_structure(fates: Any) -> None:
    with pytest.raises(MisalignedError):
        cut(request("a", "b"), fates)


async def sampled(raw: bytes, *, with_views: bool, **keys: Any) -> ExportTraceServiceRequest:
    sink = CollectingSink()
    host = make_host("probabilistic_sampler")
    processor = ProbabilisticSampler(ProbabilisticSampler.Config(**keys), host)
    batch = parse(Signal.TRACES, raw)
    if with_views:
        batch.records()
    await fuse([processor], sink, host.tasks).consume(batch)
    if not sink.batches:
        assert batch.delivery.outcome is Outcome.DROPPED
        return ExportTraceServiceRequest()
    (out,) = sink.batches
    read = ExportTraceServiceRequest.FromString(out.serialize())
    count = sum(len(scope.spans) for group in read.resource_spans for scope in group.scope_spans)
    assert count == out.count
    return read


IDS = st.sampled_from([b"", b"\0" * 16, b"\1" * 16, b"\xff" * 16]) | st.binary(min_size=16, max_size=16)


@settings(max_examples=60)
@given(
    messages(ExportTraceServiceRequest, depth=4),
    st.lists(st.tuples(IDS, st.sampled_from(["", "", "a=b", "ot=th:8", "ot=rv:80000000000000", "="])), min_size=1),
    st.sampled_from(["hash_seed", "proportional", "equalizing"]),
    st.sampled_from([0, 50, 100]),
    st.booleans(),
)
async def test_as_with_views(
    drawn: ExportTraceServiceRequest, told: list[tuple[bytes, str]], mode: str, percentage: float, closed: bool
) -> None:
    drawn.resource_spans.add().scope_spans.add().spans.add(name="more")
    spans = [span for group in drawn.resource_spans for scope in group.scope_spans for span in scope.spans]
    for index, span in enumerate(spans):
        span.trace_id, span.trace_state = told[index % len(told)]
    raw = drawn.SerializeToString() + UNKNOWN
    keys = {"mode": mode, "sampling_percentage": percentage, "fail_closed": closed}
    one, other = await sampled(raw, with_views=True, **keys), await sampled(raw, with_views=False, **keys)
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
