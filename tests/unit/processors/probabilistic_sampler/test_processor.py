from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.component import Host
from pipeline.signals import Batch, LogRecord, Signal, Span, Value
from pipeline.testing import configured, log_request, make_host, metric_value
from processors.probabilistic_sampler.processor import ProbabilisticSampler
from processors.sampling.thresholds import NEVER, threshold_digits
from processors.sampling.tracestate import TraceState

HIGH = b"\4" * 9 + b"\xff" * 7
LOW = b"\4" * 9 + b"\x00" * 7


def sampler(host: Host | None = None, **keys: Any) -> ProbabilisticSampler:
    made: ProbabilisticSampler = configured(ProbabilisticSampler, host, **keys)
    return made


def spans(*given: tuple[bytes, str] | tuple[bytes, str, Value]) -> Batch:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for trace_id, state, *_ in given:
        scope.spans.add(trace_id=trace_id, trace_state=state)
    batch = Batch.of_message(request, Signal.TRACES)
    for record, one in zip(batch.records(), given, strict=True):
        if len(one) > 2:
            record.attributes["sampling.priority"] = one[-1]
    return batch


def states(processor: ProbabilisticSampler, batch: Batch) -> list[str | None]:
    """Tracestates of what is kept, None for what is not."""
    records = batch.records()
    assert processor.process(batch) is batch
    kept = {id(record) for record in batch.records()}
    return [record.trace_state if id(record) in kept and isinstance(record, Span) else None for record in records]


def test_each_mode_writes_its_threshold() -> None:
    given = [(HIGH, ""), (LOW, ""), (HIGH, "ot=th:8;x:y,a=b")]
    for mode, expected in (
        ("proportional", ["ot=th:8", None, "ot=th:c;x:y,a=b"]),
        ("equalizing", ["ot=th:8", None, "ot=th:8;x:y,a=b"]),
        ("hash_seed", ["ot=rv:dc64031ec788e6;th:8", None, None]),
    ):
        assert states(sampler(mode=mode, sampling_percentage=50), spans(*given)) == expected


def test_hash_seed() -> None:
    ids = [bytes([number]) * 16 for number in range(1, 101)]
    one, other = (
        states(sampler(sampling_percentage=50, hash_seed=seed), spans(*((each, "") for each in ids))) for seed in (1, 2)
    )
    assert [kept is None for kept in one] != [kept is None for kept in other]
    assert 30 < sum(kept is not None for kept in one) < 70


def test_explicit_randomness_goes_before_the_trace_id_and_is_passed_on() -> None:
    given = [(LOW, "ot=rv:ffffffffffffff"), (HIGH, "ot=rv:00000000000000")]
    for mode in ("proportional", "equalizing"):
        found = states(sampler(mode=mode, sampling_percentage=50), spans(*given))
        assert found == ["ot=rv:ffffffffffffff;th:8", None]


@pytest.mark.parametrize("mode", ["proportional", "equalizing"])
@pytest.mark.parametrize(
    ("trace_id", "state", "kept_as"),
    [
        (b"", "", "ot=th:0"),
        (HIGH, "=", "="),
        (HIGH, "ot=th:zz", "ot=th:zz"),
        (HIGH, "ot=th:C", "ot=th:C"),
        # R does not reach it: how likely the span came here, nobody knows.
        (LOW, "ot=th:8;x:y", "ot=x:y"),
    ],
)
def test_fail_closed(mode: str, trace_id: bytes, state: str, kept_as: str) -> None:
    for closed, expected in ((True, None), (False, kept_as)):
        processor = sampler(mode=mode, sampling_percentage=50, fail_closed=closed)
        assert states(processor, spans((trace_id, state))) == [expected]


def test_fail_closed_with_hash_seed() -> None:
    given = [(b"", ""), (HIGH, "ot=th:8"), (HIGH, "ot=rv:ffffffffffffff"), (HIGH, "=")]
    assert states(sampler(sampling_percentage=100), spans(*given)) == [None] * 4
    found = states(sampler(sampling_percentage=100, fail_closed=False), spans(*given))
    assert found == ["ot=rv:ffffffffffffff;th:0", "ot=th:8", "ot=rv:ffffffffffffff", "="]


@pytest.mark.parametrize("mode", ["hash_seed", "proportional", "equalizing"])
def test_priority(mode: str) -> None:
    values: list[Value] = [0, 0.0, "0", 1, 0.5, "1.5", "0x1p3", 2**40]
    nothing_said: list[Value] = [-1, "-1", "x", "", True, b"1", None, "nan"]
    for percentage in (0, 100):
        batch = spans(*((HIGH, "", value) for value in (*values, *nothing_said)))
        found = [kept is not None for kept in states(sampler(mode=mode, sampling_percentage=percentage), batch)]
        assert found == [False] * 3 + [True] * 5 + [percentage == 100] * 8
    (kept,) = states(sampler(mode="equalizing", sampling_percentage=10), spans((HIGH, "ot=th:8", 1)))
    assert kept == "ot=th:8"


def test_sampling_precision() -> None:
    for digits, expected in ((1, "ot=th:b"), (4, "ot=th:aaab"), (14, "ot=th:aaaae28f5c28f4")):
        processor = sampler(mode="equalizing", sampling_percentage=33.333, sampling_precision=digits)
        assert states(processor, spans((HIGH, ""))) == [expected]


def test_a_full_tracestate_keeps_to_its_bounds() -> None:
    many = ",".join(f"k{number}=v" for number in range(32))
    long = "ot=k:" + "v" * 250
    one, other = states(sampler(mode="equalizing", sampling_percentage=50), spans((HIGH, many), (HIGH, long)))
    assert one == f"ot=th:8,{many.removesuffix(',k31=v')}"
    assert other == "ot=th:8"


def test_metrics_and_drops() -> None:
    host = make_host("probabilistic_sampler")
    processor = sampler(host, mode="equalizing", sampling_percentage=50)
    processor.process(spans((HIGH, ""), (HIGH, "ot=rv:ffffffffffffff"), (LOW, ""), (b"", ""), (LOW, "", 1)))
    name = "otelcol_processor_probabilistic_sampler_count_traces_sampled_total"
    for policy, sampled, count in (
        ("trace_id_w3c", "true", 1),
        ("trace_id_w3c", "false", 1),
        ("sampling_randomness", "true", 1),
        ("missing_randomness", "false", 1),
        ("sampling_priority", "true", 1),
    ):
        assert metric_value(host, name, policy=policy, sampled=sampled) == count
    labels = {"component": "probabilistic_sampler", "reason": "not_sampled", "otel_signal": "traces"}
    assert host.meter.registry.collector.get_sample_value("penstock_dropped_items_total", labels) == 2
    processor.process(logs([{}], trace_id=HIGH))
    name = "otelcol_processor_probabilistic_sampler_count_logs_sampled_total"
    assert metric_value(host, name, policy="trace_id_w3c", sampled="true") == 1


def logs(given: list[dict[str, Value]], trace_id: bytes = b"") -> Batch:
    request = log_request(*([""] * len(given)))
    batch = Batch.of_message(request, Signal.LOGS)
    for record, values in zip(batch.records(), given, strict=True):
        assert isinstance(record, LogRecord)
        record.trace_id = trace_id
        record.attributes.update(values)
    return batch


def kept_logs(processor: ProbabilisticSampler, batch: Batch) -> list[dict[str, Value] | None]:
    records = batch.records()
    assert processor.process(batch) is batch
    kept = {id(record) for record in batch.records()}
    return [dict(record.attributes) if id(record) in kept else None for record in records]


def test_logs_by_trace_id() -> None:
    for mode, written in (
        ("equalizing", {"sampling.threshold": "8"}),
        ("hash_seed", {"sampling.threshold": "8", "sampling.randomness": "dc64031ec788e6"}),
    ):
        assert kept_logs(sampler(mode=mode, sampling_percentage=50), logs([{}], HIGH)) == [written]
        assert kept_logs(sampler(mode=mode, sampling_percentage=100), logs([{}])) == [None]


def test_logs_that_came_sampled() -> None:
    given: list[dict[str, Value]] = [
        {"sampling.threshold": "8"},
        {"sampling.randomness": "00000000000000"},
        {"sampling.threshold": "x"},
        {"sampling.threshold": 8},
    ]
    found = kept_logs(sampler(mode="proportional", sampling_percentage=50), logs(given, HIGH))
    assert found == [{"sampling.threshold": "c"}, None, None, {"sampling.threshold": "8"}]
    found = kept_logs(sampler(sampling_percentage=100, fail_closed=False), logs(given[:3], HIGH))
    assert found == given[:3]


def test_attribute_source() -> None:
    values: list[dict[str, Value]] = [{"id": "a"}, {"id": b"a"}, {"id": 17}, {"id": ""}, {}]
    for source, trace_id, is_by_attribute in (("record", HIGH, True), ("traceID", HIGH, False), ("traceID", b"", True)):
        processor = sampler(sampling_percentage=100, attribute_source=source, from_attribute="id")
        found = [
            None if kept is None else kept["sampling.randomness"]
            for kept in kept_logs(processor, logs(values, trace_id))
        ]
        assert found[0] == found[1]
        assert (found[0] != found[2]) is is_by_attribute
        assert (found[3] is None) is (found[4] is None) is is_by_attribute


def test_from_attribute_names_the_policy() -> None:
    host = make_host("probabilistic_sampler")
    sampler(host, sampling_percentage=100, from_attribute="id").process(logs([{"id": "a"}]))
    name = "otelcol_processor_probabilistic_sampler_count_logs_sampled_total"
    assert metric_value(host, name, policy="id", sampled="true") == 1


def test_sampling_priority() -> None:
    values: list[dict[str, Value]] = [{"p": 100}, {"p": 0.5}, {"p": 0}, {"p": "100"}, {"p": 101}, {"p": True}]
    found = kept_logs(sampler(mode="equalizing", sampling_percentage=100, sampling_priority="p"), logs(values, LOW))
    assert [kept and kept["sampling.threshold"] for kept in found] == ["0", None, "0", "0", "0", "0"]
    # Where else nothing is kept, a percentage of its own decides by the record's own randomness.
    for trace_id, kept_at_half in ((HIGH, True), (LOW, False)):
        processor = sampler(mode="equalizing", sampling_priority="p")
        found = kept_logs(processor, logs([{"p": 100}, {"p": 50}, {"p": 0}], trace_id))
        assert [kept is not None for kept in found] == [True, kept_at_half, False]


_PERCENTAGES = st.sampled_from([0.0, 1.0, 12.5, 50.0, 99.9, 100.0]) | st.floats(1e-10, 100)
_INCOMING = st.none() | st.integers(0, NEVER - 1)


@given(st.binary(min_size=16, max_size=16), _INCOMING, _INCOMING, _PERCENTAGES, st.sampled_from(["", "a=b"]))
def test_consistent(
    trace_id: bytes, threshold: int | None, randomness: int | None, percentage: float, others: str
) -> None:
    state = TraceState.read(others)
    state.threshold, state.randomness = threshold, randomness
    text = state.write()
    real = int.from_bytes(trace_id[-7:], "big") if randomness is None else randomness
    for mode in ("proportional", "equalizing"):
        (kept,) = states(sampler(mode=mode, sampling_percentage=percentage), spans((trace_id, text)))
        if kept is None:
            continue
        written = TraceState.read(kept)
        assert written.threshold is not None
        assert max(threshold or 0, 0) <= written.threshold <= real
        assert (written.randomness, written.members) == (randomness, state.members)
        assert kept == TraceState(threshold_digits(written.threshold), state.rv, (), state.members).write()
