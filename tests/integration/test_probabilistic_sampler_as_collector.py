"""`probabilistic_sampler` keeps what the real Collector's keeps, and writes the same on it, for every mode and key."""

from __future__ import annotations

import random
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.component import Host
from pipeline.run import fuse
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import from_key_values, set_any_value
from pipeline.testing import CollectingSink, make_host
from processors.probabilistic_sampler.config import ProbabilisticSamplerConfig
from processors.probabilistic_sampler.modes import mode_of
from processors.probabilistic_sampler.processor import ProbabilisticSampler
from processors.probabilistic_sampler.records import RANDOMNESS, THRESHOLD
from processors.probabilistic_sampler.verdicts import Told
from processors.sampling.thresholds import randomness_from, randomness_of, threshold_from
from processors.sampling.tracestate import MalformedTraceState, TraceState
from tests.servers.backend import otlp_backend
from tests.servers.collectors import otelcol
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

pytestmark = pytest.mark.server

CASE: Final = "case"
MODES: Final = ("hash_seed", "proportional", "equalizing")
PERCENTAGES: Final = (0, 0.001, 0.01, 1, 12.5, 15.3, 33.333, 50, 99.9, 99.9999, 100, 250)
CONFIGS: Final[dict[str, dict[str, Any]]] = {
    **{f"{mode} {p}": {"mode": mode, "sampling_percentage": p} for mode in MODES for p in PERCENTAGES},
    **{f"{mode} open {p}": {"mode": mode, "sampling_percentage": p, "fail_closed": False}
       for mode in MODES for p in (0, 33.333, 100)},
    **{f"{mode} digits {d}": {"mode": mode, "sampling_percentage": 33.333, "sampling_precision": d}
       for mode in MODES for d in (1, 2, 13, 14)},
    **{f"seed {seed}": {"sampling_percentage": 40, "hash_seed": seed} for seed in (1, 22, 2**32 - 1)},
    "no mode": {"mode": "", "sampling_percentage": 40},
    "nothing": {},
}  # fmt: skip
LOG_CONFIGS: Final[dict[str, dict[str, Any]]] = {
    **CONFIGS,
    **{f"{mode} {source} by id {p}": {
        "mode": mode, "sampling_percentage": p, "attribute_source": source, "from_attribute": "id", "hash_seed": 7,
        "sampling_priority": "priority", "fail_closed": p != 40,
    } for mode in MODES for source in ("record", "traceID") for p in (0, 15, 40)},
}  # fmt: skip

_TRACE_STATES: Final = (
    "a=b,c=d", "ot=th:8", "ot=th:0", "ot=th:c;rv:{r}", "ot=rv:{r}", "ot=rv:{r};th:4;x:y,v=w", "v=w,ot=th:4",
    "ot=x:y", "ot=th:fffff", "ot=th:ffffffffffffff", "ot=th:zz", "ot=rv:123", "ot=", "ot=th", "ot=th:", "=", "a", "A=b",
    "a=b c ,,d=e", "x" * 300 + "=y", "ot=k:" + "v" * 255, "t@s=v", " a=b",
    ",".join(f"k{i}=v" for i in range(31)), ",".join(f"k{i}=v" for i in range(33)),
    ",".join(f"k{i}=" + "v" * 48 for i in range(20)),
)  # fmt: skip
_PRIORITIES: Final = (0, 1, -1, 0.0, 0.5, -0.5, "0", "1", "1.5", "-1", "x", "", "1e400", "0x1p3", "1_0", " 1", "NaN",
                      "inf", True, False, b"1", None, 2**40)  # fmt: skip
_PERCENTAGES: Final = (0, 1, 50, 100, 101, -1, 0.5, 33.3, 1e-30, "50", True, None, float("nan"))


def _ids(count: int) -> list[bytes]:
    drawn = random.Random(5)
    return [drawn.randbytes(16) for _ in range(count)]


def _traces() -> bytes:
    drawn = random.Random(7)
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    ids = [*_ids(300), b"", b"\0" * 9 + b"\1" * 7, b"\1" * 9 + b"\0" * 7]
    for each in ids:
        spans.add(trace_id=each, name="plain")
    for each in [*ids[:8], b""]:
        for text in _TRACE_STATES:
            spans.add(trace_id=each, name="told", trace_state=text.format(r=f"{drawn.getrandbits(56):014x}"))
    for each in [*ids[:4], b""]:
        for state in ("", "ot=th:4", "ot=th:zz", "ot=rv:00000000000000"):
            for value in _PRIORITIES:
                span = spans.add(trace_id=each, name="priority", trace_state=state)
                set_any_value(span.attributes.add(key="sampling.priority").value, value)
    return _numbered(request, spans)


def _logs() -> bytes:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    ids = [*_ids(200), b""]
    texts = ("8", "", "0", "zz", "ffffffffffffff")
    for each in ids:
        records.add(trace_id=each)
    for each in (*ids[:8], b""):
        for threshold in (*texts, 8):
            set_any_value(records.add(trace_id=each).attributes.add(key="sampling.threshold").value, threshold)
        for randomness in ("123", "", "80000000000000", "ffffffffffffff"):
            record = records.add(trace_id=each)
            set_any_value(record.attributes.add(key="sampling.randomness").value, randomness)
            set_any_value(record.attributes.add(key="sampling.threshold").value, "4")
        for value in ("a", "b", "", b"ab", b"", 17, 2.5, 1e21, True, ["a", 1, None], {"k": "<v>"}, None):
            set_any_value(records.add(trace_id=each).attributes.add(key="id").value, value)
        for value in _PERCENTAGES:
            for threshold in ("", "4"):
                record = records.add(trace_id=each)
                set_any_value(record.attributes.add(key="priority").value, value)
                set_any_value(record.attributes.add(key="sampling.threshold").value, threshold)
    return _numbered(request, records)


def _numbered(request: Any, items: Any) -> bytes:
    for number, item in enumerate(items):
        set_any_value(item.attributes.add(key="number").value, number)
    raw: bytes = request.SerializeToString()
    return raw


REQUESTS: Final = {Signal.TRACES: _traces, Signal.LOGS: _logs}
ALL: Final = {
    **{f"traces {name}": (Signal.TRACES, config) for name, config in CONFIGS.items()},
    **{f"logs {name}": (Signal.LOGS, config) for name, config in LOG_CONFIGS.items()},
}


def _config(port: int, backend_port: int) -> dict[str, Any]:
    processors: dict[str, Any] = {"resource/mark": {"attributes": [{"key": CASE, "value": "", "action": "insert"}]}}
    pipelines: dict[str, Any] = {}
    for number, (name, (signal, config)) in enumerate(ALL.items()):
        processors[f"probabilistic_sampler/{number}"] = config
        processors[f"resource/{number}"] = {"attributes": [{"key": CASE, "value": name, "action": "upsert"}]}
        pipelines[f"{signal.value}/{number}"] = {
            "receivers": ["otlp"],
            "processors": [f"resource/{number}", f"probabilistic_sampler/{number}"],
            "exporters": ["otlp_grpc"],
        }
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": processors,
        "exporters": {"otlp_grpc": {"endpoint": f"127.0.0.1:{backend_port}", "tls": {"insecure": True}}},
        "service": {"pipelines": pipelines},
    }


def _seen(signal: Signal, body: bytes) -> dict[int, Any]:
    """By number: what was written on the items that were kept."""
    found: dict[int, Any] = {}
    for record in parse(signal, body).records():
        attributes = from_key_values(record.pb.attributes)
        told = record.pb.trace_state if signal is Signal.TRACES else {
            key: value for key, value in attributes.items() if key.startswith("sampling.")
        }  # fmt: skip
        found[int(str(attributes["number"]))] = told
    return found


@dataclass
class Real:
    """What the real Collector made of it.

    Attributes:
        kept: by case and number, what was written on the items that were kept.
        counted: by signal, policy and decision, over all cases.
    """

    kept: dict[str, dict[int, Any]] = field(default_factory=dict)
    counted: Counter[tuple[str, ...]] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """What the real Collector makes of each case."""
    port, metrics_port = free_ports(2)
    found = Real()
    with otlp_backend() as backend:
        config = _config(port, backend.grpc_port)
        reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": metrics_port}}}}
        config["service"]["telemetry"] = {"metrics": {"readers": [reader]}}
        with otelcol(config, tmp_path_factory.mktemp("otelcol"), ports=[port, metrics_port]):
            for signal, make in REQUESTS.items():
                url = f"http://127.0.0.1:{port}/v1/{signal.value}"
                request = urllib.request.Request(url, make(), {"content-type": "application/x-protobuf"})
                urllib.request.urlopen(request, timeout=20).close()
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=20) as page:
                found.counted = _counted(text_string_to_metric_families(page.read().decode()))
        # At its end it has sent what it had.
        for signal in REQUESTS:
            for body in backend.bodies[signal.value]:
                marks = from_key_values(parse(signal, body).resources()[0].pb.attributes)
                found.kept[str(marks[CASE])] = _seen(signal, body)
    return found


def _counted(families: Iterable[Metric]) -> Counter[tuple[str, ...]]:
    counted: Counter[tuple[str, ...]] = Counter()
    for family in families:
        for sample in family.samples:
            if "_probabilistic_sampler_count_" in sample.name:
                key = sample.name, sample.labels["policy"], sample.labels["sampled"]
                counted[key] += int(sample.value)
    return counted


async def _ours(name: str, raw: bytes, host: Host | None = None) -> dict[int, Any]:
    signal, config = ALL[name]
    sink = CollectingSink()
    host = host or make_host("probabilistic_sampler")
    processor = ProbabilisticSampler(ProbabilisticSampler.Config.model_validate(config), host)
    await fuse([processor], sink, host.tasks).consume(parse(signal, raw))
    return {number: told for batch in sink.batches for number, told in _seen(signal, batch.serialize()).items()}


def _differs_on_purpose(signal: Signal, config: ProbabilisticSamplerConfig, item: Any) -> bool:
    """Whether docs/deviations.md has a row for what is written on such an item, or, of logs at 0 %, for its fate."""
    mode = mode_of(config.mode, config.sampling_percentage, config.hash_seed, config.sampling_precision)
    told = _told_by_span(item) if signal is Signal.TRACES else _told_by_record(item)
    has_priority = bool(config.sampling_priority) and "priority" in from_key_values(item.attributes)
    if mode.keeps_none and (told.is_malformed or has_priority):
        return True
    randomness = randomness_of(item.trace_id or b"\xff" * 16) if told.randomness is None else told.randomness
    return told.threshold is not None and told.threshold > randomness


def _told_by_span(span: Any) -> Told:
    try:
        state = TraceState.parse(span.trace_state)
    except MalformedTraceState:
        return Told(is_malformed=True)
    return Told(state.threshold, state.randomness)


def _told_by_record(record: Any) -> Told:
    attributes = from_key_values(record.attributes)
    texts = [text if isinstance(text := attributes.get(name), str) else "" for name in (THRESHOLD, RANDOMNESS)]
    told = Told(threshold_from(texts[0]), randomness_from(texts[1]))
    return told._replace(is_malformed=any(text and value is None for text, value in zip(texts, told, strict=False)))


@pytest.mark.parametrize("name", ALL)
async def test_same_as_the_collector(real: Real, name: str) -> None:
    signal, keys = ALL[name]
    config = ProbabilisticSamplerConfig.model_validate(keys)
    raw = REQUESTS[signal]()
    ours, theirs = await _ours(name, raw), real.kept.get(name, {})
    items = [record.pb for record in parse(signal, raw).records()]
    compared = [number for number, item in enumerate(items) if not _differs_on_purpose(signal, config, item)]
    assert len(compared) > len(items) / 2
    assert [
        (items[number], ours.get(number), theirs.get(number))
        for number in compared
        if ours.get(number) != theirs.get(number)
    ] == []
    # What is kept is the same beyond that, but for records with a percentage of their own where nothing else is kept.
    if signal is Signal.TRACES:
        assert ours.keys() == theirs.keys()
        # Spans without priorities are sampled as bytes.
        plain = {number for number, item in enumerate(items) if item.name != "priority"}
        assert await _ours(name, _without_priorities(raw)) == {
            number: told for number, told in ours.items() if number in plain
        }


def _without_priorities(raw: bytes) -> bytes:
    request = ExportTraceServiceRequest.FromString(raw)
    spans = request.resource_spans[0].scope_spans[0].spans
    plain = [span for span in spans if span.name != "priority"]
    del spans[:]
    spans.extend(plain)
    written: bytes = request.SerializeToString()
    assert b"sampling.priority" not in written
    return written


async def test_counted_as_by_the_collector(real: Real) -> None:
    host = make_host("probabilistic_sampler")
    for name, (signal, _) in ALL.items():
        await _ours(name, REQUESTS[signal](), host)
    ours = _counted(host.meter.registry.collector.collect())
    # At 0 % log records with a percentage of their own have another fate.
    by_priority = {key for key in ours if "logs" in key[0] and key[1] == "sampling_priority"}
    assert sum(ours[key] for key in by_priority) == sum(real.counted[key] for key in by_priority)
    assert {key: ours[key] for key in ours.keys() - by_priority} == {
        key: real.counted[key] for key in real.counted.keys() - by_priority
    }
