"""Attacks: what senders, disks, brokers and reloads do at the worst moment; nothing is lost, split or held up by it."""

from __future__ import annotations

import os
import random
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from pipeline.errors import Refused
from pipeline.signals import Batch, Outcome, Signal
from pipeline.signals.intake import parse
from pipeline.testing import START_NS
from processors.sampling.marking import ADJUSTED_COUNT
from processors.sampling.thresholds import adjusted_count_of, randomness_of
from processors.sampling.tracestate import TraceState
from processors.tail_sampling.facts.pathology import Steps
from processors.tail_sampling.facts.sizes import size_of
from processors.trace_buffer.packing import Packed
from processors.trace_buffer.store import Store, StoreSettings
from tests.unit.processors.tail_sampling.test_sampler import ALL, ERRORS, HALF, Out, batch, sampler, trace_id

# Giants -------------------------------------------------------------------------------------------------------------


def test_a_giant_is_whole_though_its_spans_are_compressed_while_it_leaves() -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    held.store = Store(StoreSettings(2 << 20, compress_above_bytes=1000))
    given_spans = [batch(*[1] * 10, pad=1000) for _ in range(60)]
    for each in given_spans:
        held.add(each, 0.0)
    for number, _ in enumerate(held.ticking(31.0), start=2):
        held.add(batch(*[number] * 10, pad=3000), 31.0)
    assert out.traces() == {1: 600}
    assert {each.delivery.outcome for each in given_spans} == {Outcome.DELIVERED}
    held.flush(32.0)
    assert held.store.held_bytes < 2000


def test_memory_is_bounded_where_large_spans_come_upon_thousands_of_small_traces() -> None:
    held = sampler(Out())
    held.store = Store(StoreSettings(8 << 20, compress_above_bytes=1 << 30))
    for first in range(0, 10_000, 100):
        held.add(batch(*range(first, first + 100), pad=400), first / 500)
    for number in range(12):
        held.add(batch(20_000 + number, pad=3_000_000), 25.0)
        assert held.store.held_bytes <= 1.1 * (8 << 20) + 3_000_000


# Time for others ----------------------------------------------------------------------------------------------------


def works(steps: Iterator[None], seen: Callable[[], int]) -> list[int]:
    """By how much something grew, or fell, in each step."""
    found, before = list[int](), seen()
    for _ in steps:
        found.append(abs(seen() - before))
        before = seen()
    return [*found, abs(seen() - before)]


def test_a_request_of_one_trace_is_taken_in_by_portions() -> None:
    held = sampler(Out())
    taken = works(held.adding(batch(*[1] * 2000), 0.0), lambda: sum(t.span_count for t in held.open.values()))
    assert sum(taken) == 2000
    assert max(taken) <= 512


def test_large_spans_are_taken_in_and_let_go_by_portions() -> None:
    held = sampler(Out(), policies=[ALL])
    taken = works(held.adding(batch(*range(1000), pad=20_000), 0.0), lambda: held.store.held_bytes)
    let_go = works(held.ticking(31.0), lambda: held.store.held_bytes)
    assert 20e6 < sum(taken) < 23e6
    assert max(*taken, *let_go) < 3e6


def test_traces_whose_deadline_has_moved_are_looked_at_by_portions() -> None:
    held = sampler(Out(), deadline={})
    for now_s in (0.0, 1.9):
        for first in range(0, 5000, 100):
            held.add(batch(*range(first, first + 100)), now_s)
    assert sum(1 for _ in held.ticking(2.1)) > 10
    assert len(held.open) == 5000
    held.tick(4.0)
    assert not held.open


# Claims -------------------------------------------------------------------------------------------------------------


def test_a_claim_that_is_lost_behind_a_reload_is_heard_of() -> None:
    before, after = sampler(Out()), sampler(Out(), policies=[ALL])
    given_spans = batch(1)
    before.add(given_spans, 0.0)
    after.take_over(before)
    after.tick(0.1)
    given_spans.delivery.disown()
    after.tick(0.2)
    assert given_spans.delivery.outcome is Outcome.FAILED
    assert not after.open


def test_a_claim_that_is_lost_behind_a_reload_that_failed_is_heard_of() -> None:
    before, after = sampler(Out()), sampler(Out(), policies=[ALL])
    first, second = batch(1), batch(2)
    before.add(first, 0.0)
    after.take_over(before)
    after.add(second, 0.1)
    after.tick(0.1)
    before.take_over(after)
    before.tick(0.2)
    first.delivery.disown()
    second.delivery.disown()
    before.tick(0.3)
    assert [each.delivery.outcome for each in (first, second)] == [Outcome.FAILED] * 2


def test_what_others_will_bring_again_is_not_dropped_at_the_end() -> None:
    held = sampler(Out(), drop_pending_traces_on_shutdown=True)
    ours, theirs = batch(1), batch(2)
    held.add(ours, 0.0)
    held.add(theirs, 0.0)
    theirs.delivery.disown()
    for _ in held.dropping(1.0):
        pass
    assert ours.delivery.outcome is Outcome.DROPPED
    assert isinstance(theirs.delivery.error, Refused)
    assert held.decisions.get(trace_id(2)) is None


# Memory of decisions ------------------------------------------------------------------------------------------------


def test_a_trace_that_was_kept_early_is_not_split_by_thousands_of_others() -> None:
    out = Out()
    held = sampler(out, deadline={"idle": 60}, decision_cache={"max_bytes": 1 << 16})
    held.add(batch(1, errors=[1], child=True), 0.0)
    for number in range(2, 1500):
        held.add(batch(number, errors=[number], child=True), 0.1)
    late = batch(1, child=True)
    held.add(late, 1.0)
    assert out.traces()[1] == 2
    held.tick(300.0)
    assert late.delivery.outcome is Outcome.DELIVERED


# Values nobody expects ----------------------------------------------------------------------------------------------

POLICIES: list[dict[str, Any]] = [
    ERRORS,
    {"name": "latency", "type": "latency", "latency": {"threshold_ms": 5000, "upper_threshold_ms": 90_000}},
    {"name": "numeric", "type": "numeric_attribute", "numeric_attribute": {"key": "n", "min_value": 50}},
    {"name": "boolean", "type": "boolean_attribute", "boolean_attribute": {"key": "n", "value": True}},
    {
        "name": "regex",
        "type": "string_attribute",
        "string_attribute": {"key": "n", "values": ["(a+)+$"], "enabled_regex_matching": True},
    },
    {"name": "share", "type": "probabilistic", "probabilistic": {"sampling_percentage": 1}},
    {"name": "state", "type": "trace_state", "trace_state": {"key": "n", "values": ["zz"]}},
    {"name": "flags", "type": "trace_flags"},
    {"name": "sum", "type": "attribute", "attribute": {"key": "n", "aggregate": "sum", "min": 1e300}},
    {"name": "max", "type": "attribute", "attribute": {"key": "n", "aggregate": "max", "min": 1e300}},
    {"name": "distinct", "type": "attribute", "attribute": {"key": "n", "aggregate": "distinct", "min": 1000}},
    {
        "name": "above",
        "type": "attribute",
        "attribute": {"key": "n", "percentile": {"above": 0.99, "by": ["n", "m"], "min_count": 10}},
    },
    {
        "name": "sum above",
        "type": "attribute",
        "attribute": {"key": "n", "aggregate": "sum", "percentile": {"above": 0.9, "by": ["m"], "min_count": 5}},
    },
    {
        "name": "event",
        "type": "attribute",
        "attribute": {
            "key": "n",
            "in": ["span", "event", "resource"],
            "event": "e",
            "where": {"m": [1, "chat", True]},
            "exists": True,
        },
    },
    {
        "name": "agent",
        "type": "agent",
        "agent": {
            "min_loops": 500,
            "min_depth": 300,
            "percentile": {"above": 0.99, "min_count": 5, "of": ["loops", "depth", "tool_calls", "llm_calls", "spans"]},
        },
    },
    {"name": "coverage", "type": "coverage", "coverage": {"keys": ["n", "m"], "missing": "own", "max_keys": 10}},
    {"name": "rare", "type": "rare", "rare": {"keys": ["n"], "window": "10s", "per_tenant": True}},
    {"name": "weighted", "type": "weighted", "weighted": {"key": "n", "traces_per_second": 1, "interval": "5s"}},
    {"name": "longest", "type": "weighted", "weighted": {"by": "duration", "traces_per_second": 1, "interval": "5s"}},
    {"name": "heaviest", "type": "weighted", "weighted": {"key": "n", "aggregate": "max", "spans_per_second": 1}},
    {"name": "budget", "type": "budget", "budget": {"bytes_per_second": 300, "fair_by": ["n"]}},
    {
        "name": "all in all",
        "type": "budget",
        "budget": {"spans_per_second": 3, "fair_by": ["tenant"], "policies": [ERRORS, HALF]},
    },
]
_NAMES = (
    "n", "n", "m", "gen_ai.operation.name", "mcp.method.name", "penstock.gen_ai.role", "gen_ai.tool.name",
    "gen_ai.agent.name", "error.type", "gen_ai.tool.call.arguments", "gen_ai.input.messages", "session.id",
    "penstock.sampling.rule", ADJUSTED_COUNT,
)  # fmt: skip
_DOUBLES = (float("nan"), float("inf"), float("-inf"), 1.7e308, -1.7e308, 5e-324, 0.0, -0.0, 1.5)
_TEXTS = ("", "chat", "execute_tool", "invoke_agent", "tools/call", "aggregate", "s1", "\0", "é\U0001f600", "a" * 999)
_STATES = ("", "", "", "ot=th:8", "ot=th:zz,,", "ot=th:0" + "0" * 300, "=" * 999, "n=zz," * 40, "ot=th:c;rv:{}")


def _double(chance: random.Random) -> AnyValue:
    return AnyValue(double_value=chance.choice(_DOUBLES))


def _list(chance: random.Random) -> AnyValue:
    value = AnyValue()
    value.array_value.values.extend(a_value(chance, 0) for _ in range(chance.randrange(3)))
    return value


def _map(chance: random.Random) -> AnyValue:
    value = AnyValue()
    value.kvlist_value.values.add(key="n").value.CopyFrom(a_value(chance, 0))
    return value


_FLAT: tuple[Callable[[random.Random], AnyValue], ...] = (
    _double,
    lambda chance: AnyValue(double_value=chance.expovariate(1)),
    lambda chance: AnyValue(int_value=chance.choice((0, 1, -1, 2**63 - 1, -(2**63), 75))),
    lambda chance: AnyValue(bool_value=chance.random() < 0.5),
    lambda chance: AnyValue(string_value=chance.choice(_TEXTS)),
    lambda chance: AnyValue(bytes_value=chance.randbytes(9)),
    lambda _: AnyValue(),
)


def a_value(chance: random.Random, depth: int = 1) -> AnyValue:
    return chance.choice((*_FLAT, _list, _map) if depth else _FLAT)(chance)


def hostile(chance: random.Random) -> Batch:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for _ in range(chance.randrange(4)):
        group.resource.attributes.add(key=chance.choice(_NAMES)).value.CopyFrom(a_value(chance))
    for _ in range(chance.randrange(1, 3)):
        scope = group.scope_spans.add()
        for _ in range(chance.randrange(6)):
            ids = (b"", bytes(16), *(trace_id(chance.randrange(30)) for _ in range(5)))
            span = scope.spans.add(trace_id=chance.choice(ids))
            span.span_id = chance.choice((b"", bytes(8), b"12345678", chance.randbytes(8)))
            span.parent_span_id = chance.choice((b"", bytes(8), b"12345678"))
            span.start_time_unix_nano = chance.choice((0, 1, START_NS, 2**64 - 1))
            span.end_time_unix_nano = chance.choice((0, 1, START_NS, 2**64 - 1))
            span.status.code = chance.choice(
                (*[Status.STATUS_CODE_UNSET] * 3, Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR)
            )
            span.flags = chance.choice((0, 1, 2**32 - 1))
            span.trace_state = chance.choice(_STATES).format(f"{chance.getrandbits(56):014x}")
            for _ in range(chance.randrange(5)):
                span.attributes.add(key=chance.choice(_NAMES)).value.CopyFrom(a_value(chance))
            if chance.random() < 0.3:
                span.events.add(name="e").attributes.add(key="n").value.CopyFrom(a_value(chance))
    return parse(Signal.TRACES, request.SerializeToString())


def check(span: Any) -> None:
    """What stands on a kept span is true, by what stands on it."""
    state = TraceState.read(span.trace_state)
    randomness = randomness_of(span.trace_id) if state.randomness is None else state.randomness
    counts = [pair.value.double_value for pair in span.attributes if pair.key == ADJUSTED_COUNT]
    if state.threshold is None:
        assert not counts
    else:
        assert randomness >= state.threshold
        assert counts == [adjusted_count_of(state.threshold)]


@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(POLICIES), min_size=1, unique_by=lambda policy: str(policy["name"])),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_whatever_comes_every_handle_ends_once_and_kept_spans_say_the_truth(
    seed: int, policies: list[dict[str, Any]], has_deadline: bool, has_sessions: bool
) -> None:
    chance, out = random.Random(seed), Out()
    more: dict[str, Any] = {"deadline": {"max_spans": 20, "idle": 5}} if has_deadline else {}
    if has_sessions:
        more["session"] = {}
    held = sampler(out, policies=policies, weights=True, num_traces=20, **more)
    given_spans, now_s = [], 0.0
    for _ in range(12):
        each = hostile(chance)
        given_spans.append(each)
        held.add(each, now_s)
        now_s += chance.choice((0.0, 0.1, 1.0, 7.0))
        held.tick(now_s)
    held.flush(now_s)
    assert all(each.delivery.resolved for each in given_spans)
    assert not held.open
    assert held.store.held_bytes < 100_000
    assert not held.tally.unscanned
    assert not any(one.counts.errors for one in (*held.rules._drops, *held.rules._keeps))
    for span in out.spans:
        check(span)


def test_texts_of_megabytes_are_not_remembered() -> None:
    policy = {"key": "session.id", "values": ["^y+$"], "enabled_regex_matching": True}
    held = sampler(Out(), policies=[{"name": "y", "type": "string_attribute", "string_attribute": policy}])
    tracemalloc.start()
    for number in range(40):
        held.add(batch(number, session=f"{number}" + "x" * 500_000), 0.0)
        held.flush(0.0)
    now_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now_bytes < 5_000_000


# Disks --------------------------------------------------------------------------------------------------------------


def spilling(folder: Path) -> StoreSettings:
    return StoreSettings(1 << 20, compress_above_bytes=0, spill_directory=str(folder), spill_max_bytes=1 << 30)


@pytest.mark.parametrize("spans", [10, 400])
def test_a_disk_that_gives_other_bytes_back_costs_no_other_trace(spans: int, tmp_path: Path) -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    held.store = Store(spilling(tmp_path))
    held.store.spill._new_file = tempfile.TemporaryFile  # type: ignore[method-assign]  # to be written to
    chance, given_spans = random.Random(1), []
    for number in range(1, 30 if spans < 20 else 4):
        for _ in range(10):
            given_spans.append(batch(*[number] * spans, session=chance.randbytes(50_000).hex() if spans < 20 else "x"))
            held.add(given_spans[-1], 0.0)
    while held.store.relief.spill().worked_bytes:
        pass
    place = next(one.place for one in held.open[trace_id(1)].held if isinstance(one, Packed) and one.place)
    os.pwrite(place[0].file.fileno(), b"x" * place[2], place[1])
    held.flush(1.0)
    assert held.tally.unreadable == 1
    assert 1 not in out.traces() or spans > 20
    assert all(each.delivery.resolved for each in given_spans)
    assert {each.delivery.outcome for each in given_spans[:10]} == {Outcome.FAILED}
    assert {each.delivery.outcome for each in given_spans[10:]} == {Outcome.DELIVERED}


def test_a_folder_that_has_gone_holds_no_reload_up(tmp_path: Path) -> None:
    out = Out()
    before, after = sampler(out, policies=[ALL]), sampler(out, policies=[ALL], decision_wait=5.0)
    (tmp_path / "old").mkdir()
    before.store, after.store = Store(spilling(tmp_path / "old")), Store(StoreSettings(4 << 20))
    before.add(batch(1), 0.0)
    (tmp_path / "old").rename(tmp_path / "gone")
    (tmp_path / "old").write_text("no folder")
    after.take_over(before)
    after.add(batch(2), 1.0)
    assert after.store.settings.max_bytes == 4 << 20
    before.take_over(after)
    assert before.store.settings.max_bytes == 1 << 20
    before.flush(2.0)
    assert out.traces() == {1: 1, 2: 1}


def test_claims_that_a_predecessor_was_looking_for_are_looked_for_again() -> None:
    before, after = sampler(Out(), num_traces=20_000), sampler(Out(), num_traces=20_000)
    taken = [batch(*range(first, first + 100)) for first in range(0, 10_000, 100)]
    for each in taken:
        before.add(each, 0.0)
    for each in taken:
        each.delivery.disown()
    looking = before.letting_go()
    next(looking)
    after.take_over(before)
    for _ in looking:
        pass
    after.tick(0.1)
    assert not after.open
    assert {each.delivery.outcome for each in taken} == {Outcome.FAILED}


# Facts --------------------------------------------------------------------------------------------------------------


def test_what_policies_gather_counts_against_the_memory() -> None:
    groups = {"name": "kinds", "type": "coverage", "coverage": {"keys": ["session.id"]}}
    plain, heavy = sampler(Out(), policies=[ALL], weights=True), sampler(Out(), policies=[ALL, groups])
    for number in range(1000):
        for place in range(16):
            for held in (plain, heavy):
                held.add(batch(number, session=f"{number}-{place}" + "x" * 300), number / 1000)
    for held in (plain, heavy):
        held.tick(2.0)
    more_bytes = heavy.store.held_bytes - plain.store.held_bytes
    assert 16 * 250 < more_bytes / 1000 < 16 * 600
    heavy.flush(3.0)
    assert heavy.store.held_bytes < 2000


@pytest.mark.parametrize(
    ("fact", "least", "most"),
    [
        ((), 0, 0),
        (None, 0, 0),
        ("short", 0, 0),
        ("x" * 1000, 1000, 1100),
        ([1.5] * 10, 200, 500),
        ({"k": (1 << 40, "y" * 500)}, 700, 1100),
        (Steps(), 50, 200),
    ],
)
def test_sizes(fact: Any, least: int, most: int) -> None:
    assert least <= size_of([fact]) <= most
