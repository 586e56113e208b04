"""The sampler: nothing is lost, nothing is split, every handle ends once, and thresholds say the truth."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pydantic import ValidationError

from pipeline.signals import Batch, Delivery, Outcome, Signal
from pipeline.signals.intake import parse
from pipeline.testing import START_NS
from processors.sampling.marking import ADJUSTED_COUNT, RULE
from processors.sampling.thresholds import NEVER, adjusted_count_of, randomness_of, threshold_of
from processors.sampling.tracestate import TraceState
from processors.tail_sampling import scanning
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.marks import is_weighted
from processors.tail_sampling.overload import Step
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler
from processors.trace_buffer.dividing import join
from processors.trace_buffer.packing import Piece
from processors.trace_buffer.store import Store, StoreSettings

ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
HALF = {"name": "half", "type": "probabilistic", "probabilistic": {"sampling_percentage": 50}}
ALL = {"name": "all", "type": "always_sample"}


class Out:
    """Takes what leaves and ends it as delivered."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        request = ExportTraceServiceRequest.FromString(join((head, body) for head, body, _ in pieces))
        spans = [s for group in request.resource_spans for scope in group.scope_spans for s in scope.spans]
        assert len(spans) == sum(count for _, _, count in pieces)
        self.spans += spans
        for delivery in deliveries:
            delivery.end(Outcome.DELIVERED)

    def traces(self) -> dict[int, int]:
        """How many spans came, by number of the trace."""
        return dict(Counter(number_of(span.trace_id) for span in self.spans))


def trace_id(number: int) -> bytes:
    return random.Random(number).randbytes(12) + number.to_bytes(4, "big")


def number_of(found: bytes) -> int:
    return int.from_bytes(found[-4:], "big")


def sampler(out: Out, max_bytes: int = 64 << 20, **config: Any) -> Sampler:
    parsed = TailSamplingConfig.model_validate({"policies": [ERRORS]} | config)
    setting = Setting(weighted=is_weighted(parsed))
    rules = Rules(build_policies(parsed.policies, setting), setting)
    return Sampler(parsed, rules, Store(StoreSettings(max_bytes)), out)


def batch(
    *numbers: int,
    errors: Sequence[int] = (),
    child: bool = False,
    tracestate: str = "",
    pad: int = 0,
    session: str = "",
) -> Batch:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for place, number in enumerate(numbers):
        span = scope.spans.add(trace_id=trace_id(number), span_id=(place + 1).to_bytes(8, "big"), name="x" * pad)
        span.start_time_unix_nano, span.end_time_unix_nano = START_NS, START_NS + 10**9
        span.trace_state = tracestate
        if number in errors:
            span.status.code = Status.STATUS_CODE_ERROR
        if child:
            span.parent_span_id = b"12345678"
        if session:
            span.attributes.add(key="session.id").value.string_value = session
    return parse(Signal.TRACES, request.SerializeToString())


def test_a_trace_is_decided_when_its_root_has_ended_and_it_is_quiet() -> None:
    out = Out()
    held = sampler(out, deadline={"early_keep": False}, policies=[ALL])
    held.add(batch(1, child=True), 0.0)
    held.tick(9.9)
    held.add(batch(1), 9.9)
    held.tick(11.8)
    assert not out.spans
    held.tick(12.0)
    assert out.traces() == {1: 2}


def test_a_root_that_never_comes() -> None:
    out = Out()
    held = sampler(out, deadline={"early_keep": False}, policies=[ALL])
    held.add(batch(1, child=True), 0.0)
    held.tick(10.1)
    assert out.traces() == {1: 1}


def test_an_endless_trace_is_decided_at_its_age_and_its_later_spans_follow() -> None:
    out = Out()
    held = sampler(out, deadline={"early_keep": False, "max_age": 30.0}, policies=[ALL])
    for second in range(100):
        held.add(batch(1, child=True), float(second))
        held.tick(second + 0.5)
        assert out.traces() == ({} if second < 30 else {1: second + 1})


@pytest.mark.parametrize("cap", [{"max_spans": 100}, {"max_bytes": 10_000}])
def test_a_giant_is_decided_at_its_size(cap: dict[str, int]) -> None:
    out = Out()
    held = sampler(out, deadline={"early_keep": False} | cap, policies=[ALL])
    for _ in range(30):
        held.add(batch(*[1] * 10, pad=100), 0.0)
        held.tick(0.0)
    assert out.traces() == {1: 300}


def test_early_keep_lets_go_at_once_and_streams() -> None:
    out = Out()
    held = sampler(out, deadline={})
    held.add(batch(1, 2), 0.0)
    assert not out.spans
    held.add(batch(1, errors=[1]), 0.1)
    assert out.traces() == {1: 2}
    assert held.store.held_bytes < 4000
    held.add(batch(1, 1), 0.2)
    assert out.traces() == {1: 4}
    assert (held.tally.early, held.tally.streamed_spans) == (1, 2)
    assert held.tally.late_spans == {True: 0, False: 0}


def test_span_ingest_decides_as_spans_come() -> None:
    out = Out()
    held = sampler(out, sampling_strategy="span-ingest")
    held.add(batch(1, 2, errors=[2]), 0.0)
    assert out.traces() == {2: 1}
    held.add(batch(1, errors=[1]), 1.0)
    assert out.traces() == {2: 1, 1: 2}
    held.add(batch(3), 2.0)
    held.tick(32.1)
    assert out.traces() == {2: 1, 1: 2}
    assert not held.open


def test_a_trace_that_is_too_large_is_dropped() -> None:
    out = Out()
    held = sampler(out, maximum_trace_size_bytes=1000, policies=[ALL])
    first = batch(1, pad=400)
    held.add(first, 0.0)
    held.add(batch(1, pad=700), 0.0)
    assert first.delivery.outcome is Outcome.DROPPED
    assert first.delivery.resolved
    held.add(batch(1, 2), 0.1)
    held.flush(1.0)
    assert out.traces() == {2: 1}
    assert held.tally.too_large == 1


def test_late_spans_follow_with_the_same_threshold() -> None:
    out = Out()
    held = sampler(out, policies=[HALF], weights=True)
    numbers = range(100)
    held.add(batch(*numbers), 0.0)
    held.flush(1.0)
    first = dict(out.traces())
    held.add(batch(*numbers), 50.0)
    assert out.traces() == dict.fromkeys(first, 2)
    assert 20 < len(first) < 80
    for span in out.spans:
        assert TraceState.read(span.trace_state).th == "8"
    assert held.tally.late_spans == {True: len(first), False: 100 - len(first)}


def test_without_weights_spans_leave_as_they_came() -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    given_spans = batch(1, 2, tracestate="ot=th:8,x=y")
    before = [record.pb.SerializeToString() for record in given_spans.records()]
    held.add(given_spans, 0.0)
    held.flush(1.0)
    assert [span.SerializeToString() for span in out.spans] == before


def test_a_dry_run_drops_nothing_and_says_what_would_have_been() -> None:
    out = Out()
    held = sampler(out, dry_run=True, weights=True)
    held.add(batch(1, 2, errors=[2]), 0.0)
    held.flush(1.0)
    held.add(batch(1, 2), 2.0)
    told = defaultdict(set)
    for span in out.spans:
        told[number_of(span.trace_id)].add(attribute(span, "penstock.sampling.dry_run"))
    assert told == {1: {"drop"}, 2: {"keep"}}
    assert len(out.spans) == 4
    assert not any(span.trace_state for span in out.spans)


def attribute(span: Any, key: str) -> Any:
    for pair in span.attributes:
        if pair.key == key:
            return getattr(pair.value, pair.value.WhichOneof("value"))
    return None


@pytest.mark.parametrize(("weights", "session", "expected"), [
    (None, None, False), (None, {}, True), (True, None, True), (True, {}, True), (False, None, False),
])  # fmt: skip
def test_a_session_needs_weights(weights: bool | None, session: dict[str, Any] | None, expected: bool) -> None:
    raw = {"policies": [HALF], "weights": weights, "session": session}
    assert is_weighted(TailSamplingConfig.model_validate(raw)) is expected


def test_a_configuration_without_policies_is_refused() -> None:
    with pytest.raises(ValidationError, match="every trace would be dropped"):
        TailSamplingConfig.model_validate({"policies": []})


def test_a_session_without_weights_is_refused() -> None:
    with pytest.raises(ValidationError, match="only used with weights"):
        TailSamplingConfig.model_validate({"policies": [HALF], "weights": False, "session": {}})


def test_a_session_shares_one_fate_and_its_randomness_is_written() -> None:
    out = Out()
    held = sampler(out, policies=[HALF], weights=True, session={})
    for session in range(40):
        held.add(batch(*range(10 * session, 10 * session + 10), session=f"s{session}"), 0.0)
    held.flush(1.0)
    by_session = Counter(number // 10 for number in out.traces())
    assert set(by_session.values()) == {10}
    assert 8 < len(by_session) < 32
    for span in out.spans:
        state = TraceState.read(span.trace_state)
        assert state.randomness is not None
        assert state.randomness >= NEVER // 2


def test_a_trace_that_was_sampled_before_keeps_its_randomness() -> None:
    out = Out()
    held = sampler(out, policies=[ALL], weights=True, session={})
    held.add(batch(1, session="a", tracestate="ot=rv:ffffffffffffff;th:c"), 0.0)
    held.add(batch(2, session="a", tracestate="vendor=1"), 0.0)
    held.flush(1.0)
    first, second = (TraceState.read(span.trace_state) for span in out.spans)
    assert (first.rv, first.th) == ("ffffffffffffff", "c")
    assert second.rv not in ("", first.rv)


def test_hints_of_the_collector_change_nothing() -> None:
    found = []
    for hints in ({}, {"expected_new_traces_per_sec": 10, "num_shards": 8}):
        out = Out()
        held = sampler(out, num_traces=64, **hints)
        for number in range(100):
            held.add(batch(number, errors=range(0, 100, 3)), number * 0.1)
        held.flush(20.0)
        found.append((out.traces(), held.tally.shortened))
    assert found[0] == found[1]


def test_a_successor_with_another_wait_decides_by_it() -> None:
    out = Out()
    for wait_s, due_s in ((30.0, 30.0), (5.0, 5.0), (90.0, 90.0)):
        old = sampler(out, policies=[ALL])
        old.add(batch(1), 0.0)
        new = sampler(out, policies=[ALL], decision_wait=wait_s)
        new.take_over(old)
        assert not old.open
        new.tick(due_s - 0.1)
        assert not out.spans
        new.tick(due_s)
        assert out.traces() == {1: 1}
        out.spans.clear()


# Overload -------------------------------------------------------------------------------------------------------------


def test_the_oldest_are_decided_sooner_when_room_gets_short() -> None:
    out = Out()
    held = sampler(out, num_traces=100, policies=[ALL])
    for number in range(200):
        held.add(batch(number), number * 0.2)
        held.tick(number * 0.2)
        assert len(held.open) <= 100
    assert held.step is Step.SHORTENED
    assert held.tally.shortened > 0
    assert held.tally.unwaited == 0
    oldest = min(number_of(trace_id) for trace_id in held.open)
    assert sorted(out.traces()) == list(range(oldest))


def test_new_traces_do_not_wait_when_there_is_no_room_at_all() -> None:
    out = Out()
    held = sampler(out, num_traces=100, weights=True, overload={"sampling_percentage": 50})
    for number in range(300):
        held.add(batch(number, number), 0.0)
    assert held.step is Step.STATELESS
    assert held.tally.unwaited > 100
    assert len(held.open) <= 100
    unwaited = out.traces()
    assert set(unwaited.values()) == {2}
    for span in out.spans:
        assert attribute(span, RULE) == "overload"
        assert TraceState.read(span.trace_state).th == "8"
        assert randomness_of(span.trace_id) >= NEVER // 2
    assert held.tally.streamed_spans == 0
    held.add(batch(*unwaited, errors=list(unwaited)), 1.0)
    assert out.traces() == dict.fromkeys(unwaited, 3)
    decided = sum(spans for _, spans in held.tally.decided.values())
    assert held.tally.streamed_spans == len(unwaited)
    assert decided + sum(trace.span_count for trace in held.open.values()) == 600
    held.tick(31.0)
    held.add(batch(1000), 32.0)
    assert (held.step.name, len(held.open)) == ("NORMAL", 1)


def test_bytes_are_bounded_whatever_comes() -> None:
    out = Out()
    limit = 1 << 20
    held = sampler(out, limit, policies=[ALL])
    for number in range(500):
        held.add(batch(number, number % 7, pad=random.Random(number).randrange(20_000)), number * 0.001)
        assert held.store.held_bytes < 1.1 * limit
    held.flush(1.0)
    assert sum(out.traces().values()) == len(out.spans)


class Failing:
    """A scanner or rules that fail for the trace of one number."""

    def __init__(self, inner: Any, number: int) -> None:
        self._inner, self._number = inner, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def scan(self, trace: Any, *more: Any) -> None:
        self._fail(trace)
        self._inner.scan(trace, *more)

    def decide(self, trace: Any, now_s: float) -> Any:
        self._fail(trace)
        return self._inner.decide(trace, now_s)

    def _fail(self, trace: Any) -> None:
        if number_of(trace.trace_id) == self._number:
            raise ZeroDivisionError


def test_a_policy_that_cannot_look_at_a_span_costs_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Out()
    held = sampler(out, policies=[ALL])

    def fail(trace: Any, _: str) -> None:
        if number_of(trace.trace_id) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(scanning, "_read_trace_state", fail)
    held.add(batch(1, 2, tracestate="a=b"), 0.0)
    held.tick(31.0)
    assert out.traces() == {1: 1, 2: 1}
    assert held.tally.unscanned == 1


def test_a_policy_that_cannot_look_at_a_span_costs_no_trace_where_there_is_no_room() -> None:
    out = Out()
    held = sampler(out, num_traces=100, policies=[ALL], overload={"sampling_percentage": 100})
    held._reader.scanner = Failing(held._reader.scanner, 299)  # type: ignore[assignment]  # one that fails
    for number in range(300):
        held.add(batch(number), 0.0)
    assert held.step is Step.STATELESS
    assert held.tally.unscanned == 1
    assert 299 in out.traces()


def test_an_error_in_a_decision_costs_no_other_trace() -> None:
    out = Out()
    limit = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 100}}
    held = sampler(out, policies=[ALL, limit])
    held._decider.rules = Failing(held.rules, 2)  # type: ignore[assignment]  # some that fail
    batches = [batch(number) for number in (1, 2, 3)]
    for each in batches:
        held.add(each, 0.0)
    with pytest.raises(ZeroDivisionError):
        held.tick(31.0)
    held.tick(31.1)
    assert out.traces() == {1: 1, 3: 1}
    assert [each.delivery.outcome.name for each in batches] == ["DELIVERED", "FAILED", "DELIVERED"]


def test_a_very_large_request_is_divided_a_piece_at_a_time() -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    large = batch(*(number % 700 for number in range(5000)))
    turns = sum(1 for _ in held.adding(large, 0.0))
    held.flush(1.0)
    assert turns > 10
    assert out.traces() == dict(Counter(number % 700 for number in range(5000)))
    assert large.delivery.outcome is Outcome.DELIVERED


# Properties -----------------------------------------------------------------------------------------------------------

_NUMBERS = st.integers(0, 12)
_STEP = st.tuples(
    st.lists(_NUMBERS, max_size=6),
    st.sets(_NUMBERS, max_size=2),
    st.floats(0, 8),
    st.sampled_from(["nothing", "tick", "tick", "reload", "reload with others"]),
)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(_STEP, max_size=25),
    config=st.fixed_dictionaries(
        {
            "policies": st.sampled_from([[ERRORS], [ERRORS, HALF], [HALF], [ALL]]),
            "num_traces": st.sampled_from([3, 6, 1000]),
            "weights": st.sampled_from([True, None]),
            "dry_run": st.booleans(),
        },
        optional={
            "deadline": st.sampled_from([{}, {"early_keep": False, "max_spans": 5}]),
            "session": st.just({}),
        },
    ),
)
def test_no_trace_is_split_and_every_handle_ends_once(
    steps: list[tuple[list[int], set[int], float, str]], config: dict[str, Any]
) -> None:
    """Whatever comes late, whatever reloads and overload do: all spans of a trace meet one fate."""
    out, now_s = Out(), 0.0
    held = sampler(out, **config)
    sent: Counter[int] = Counter()
    deliveries = []
    for numbers, errors, wait_s, event in steps:
        now_s += wait_s
        made = batch(*numbers, errors=sorted(errors))
        deliveries.append(made.delivery)
        held.add(made, now_s)
        sent.update(numbers)
        if event == "tick":
            held.tick(now_s)
        elif event != "nothing":
            policies = [ALL, HALF] if event == "reload with others" else config["policies"]
            successor = sampler(out, **(config | {"policies": policies}))
            successor.take_over(held)
            assert not held.open
            held = successor
    held.flush(now_s)
    found = out.traces()
    for number, spans in found.items():
        assert spans == sent[number]
    if config["dry_run"]:
        assert found == dict(sent)
    assert all(delivery.resolved and delivery.outcome is not Outcome.FAILED for delivery in deliveries)
    assert held.store.held_bytes < 2000


@settings(max_examples=150, deadline=None)
@given(
    incoming=st.lists(st.none() | st.floats(0.01, 1.0), min_size=1, max_size=4),
    percentages=st.lists(st.floats(0.5, 100.0), min_size=1, max_size=3),
    number=st.integers(0, 10_000),
    explicit=st.none() | st.integers(0, NEVER - 1),
)
def test_thresholds_that_leave_are_the_truth(
    incoming: list[float | None], percentages: list[float], number: int, explicit: int | None
) -> None:
    """The threshold on each span: what came in, or the smallest of the rules that match, whichever is larger."""
    out = Out()
    rules = [
        {"name": f"p{place}", "type": "probabilistic", "probabilistic": {"sampling_percentage": percentage}}
        for place, percentage in enumerate(percentages)
    ]
    held = sampler(out, policies=rules, weights=True)
    randomness = randomness_of(trace_id(number)) if explicit is None else explicit
    own = "" if explicit is None else f"rv:{explicit:014x}"
    thresholds = []
    for probability in incoming:
        state = TraceState.read(f"ot={own}" if own else "")
        threshold = None if probability is None else threshold_of(probability)
        thresholds.append(threshold)
        state.threshold = threshold
        held.add(batch(number, tracestate=state.write()), 0.0)
    held.flush(1.0)
    smallest = min(t for percentage in percentages if (t := threshold_of_policy(percentage)) is not None)
    assert bool(out.spans) is (randomness >= smallest)
    for span, came in zip(out.spans, thresholds, strict=bool(out.spans)):
        written = TraceState.read(span.trace_state)
        wanted = max(smallest, came) if came is not None and came <= randomness else smallest
        assert written.threshold == wanted
        assert randomness >= wanted
        assert written.rv == (f"{explicit:014x}" if explicit is not None else "")
        assert attribute(span, ADJUSTED_COUNT) == pytest.approx(adjusted_count_of(wanted))


def threshold_of_policy(percentage: float) -> int:
    return threshold_of(percentage / 100)
