"""The tables of tests/data/sampling: policies, traces as OTLP, and what becomes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData

from pipeline.signals.values import set_any_value
from processors.sampling.thresholds import randomness_of
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import PolicyItem, build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.scanning import Scanner
from processors.trace_buffer.heads import Heads
from processors.trace_buffer.trace import Trace

DATA: Final = Path(__file__).parents[1] / "data" / "sampling"
START_NS: Final = 1_790_000_000_000_000_000
_NS_PER_MS: Final = 1_000_000
_STATUS: Final = {"UNSET": 0, "OK": 1, "ERROR": 2}


@dataclass(frozen=True)
class Case:
    """A trace, and what becomes of it.

    Attributes:
        collector: whether the Collector v0.145 keeps it.
        threshold: digits of `th`; empty: none.
    """

    about: str
    policies: Sequence[Mapping[str, Any]]
    trace: TracesData
    kept: bool
    collector: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    rule: str = ""
    threshold: str = ""

    def __str__(self) -> str:
        """For the ids of tests."""
        return f"{self.policies[0]['type']}: {self.about}"


def policy_cases() -> list[Case]:
    """Of policies/*.yaml."""
    return [
        _case({**raw, "policies": [{"name": "it", "type": path.stem, path.stem: raw["policy"]}]}, path.stem)
        for path in sorted((DATA / "policies").glob("*.yaml"))
        for raw in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def decision_cases() -> list[Case]:
    """Of decisions.yaml."""
    return [_case(raw, "decisions") for raw in yaml.safe_load((DATA / "decisions.yaml").read_text(encoding="utf-8"))]


def limit_sequences() -> list[dict[str, Any]]:
    """Of limits.yaml."""
    sequences: list[dict[str, Any]] = yaml.safe_load((DATA / "limits.yaml").read_text(encoding="utf-8"))
    return sequences


def _case(raw: Mapping[str, Any], table: str) -> Case:
    seed = f"{table}/{raw['about']}".encode()
    trace_id = bytes.fromhex(str(raw["trace_id"])) if "trace_id" in raw else hashlib.sha256(seed).digest()[:16]
    if "randomness" in raw:
        trace_id = trace_id[:9] + bytes.fromhex(raw["randomness"])
    return Case(
        about=raw["about"],
        policies=raw["policies"],
        trace=trace_of(trace_id, raw["spans"]),
        kept=raw["kept"],
        collector=raw.get("collector", raw["kept"]),
        options=raw.get("options", {}),
        rule=raw.get("rule", ""),
        threshold=raw.get("threshold", ""),
    )


def trace_of(trace_id: bytes, spans: Iterable[Mapping[str, Any]]) -> TracesData:
    """A trace of spans as the tables write them, each under a resource of its own."""
    data = TracesData()
    for number, raw in enumerate(spans, start=1):
        group = data.resource_spans.add()
        _fill(group.resource.attributes, raw.get("resource", {}))
        span = group.scope_spans.add().spans.add(
            trace_id=trace_id,
            span_id=number.to_bytes(8, "big"),
            parent_span_id=b"" if number == 1 else (1).to_bytes(8, "big"),
            name="work",
            start_time_unix_nano=START_NS + int(raw.get("start_ms", 0) * _NS_PER_MS),
            end_time_unix_nano=START_NS + int(raw.get("end_ms", 10) * _NS_PER_MS),
            trace_state=raw.get("tracestate", ""),
            flags=raw.get("flags", 0),
        )
        span.status.code = _STATUS[raw.get("status", "UNSET")]  # type: ignore[assignment]  # a number of the enumeration
        _fill(span.attributes, raw.get("attributes", {}))
    return data


def _fill(pairs: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        set_any_value(pairs.add(key=key).value, value)


def items_of(policies: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The policies as the configuration has them."""
    return [PolicyItem.model_validate(policy) for policy in policies]


def rules_of(
    policies: Sequence[Mapping[str, Any]], setting: Setting | None = None, *, sample_on_first_match: bool = False
) -> Rules:
    """Rules of a list of policies."""
    setting = setting or Setting()
    return Rules(build_policies(items_of(policies), setting), setting, sample_on_first_match=sample_on_first_match)


def groups_of(data: TracesData) -> Iterator[tuple[ResourceSpans, list[Span]]]:
    """Each resource of a trace, without its spans, and these."""
    for group in data.resource_spans:
        spans = [span for scope in group.scope_spans for span in scope.spans]
        yield ResourceSpans(resource=group.resource), spans


def waiting(rules: Rules, data: TracesData) -> Trace:
    """A trace whose spans were read for these rules."""
    trace_id = data.resource_spans[0].scope_spans[0].spans[0].trace_id
    trace = Trace(trace_id, randomness_of(trace_id), 0.0, rules.begin())
    scanner, heads = Scanner(rules.watches), Heads()
    for resource, spans in groups_of(data):
        body = b"".join(_tagged(span) for span in spans)
        scanner.scan(trace, heads.get(b"", resource.SerializeToString(), b""), body, spans)
        trace.span_count += len(spans)
        trace.size_bytes += len(body)
    return trace


def _tagged(span: Span) -> bytes:
    """A span as it stands within its scope on the wire."""
    from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

    return ScopeSpans(spans=[span]).SerializeToString()
