"""`tail_sampling` keeps the traces that the real Collector's keeps, for every policy that does not depend on time."""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from pipeline.signals.values import from_key_values
from processors.tail_sampling.policy import Setting
from tests.servers.backend import otlp_backend
from tests.servers.collectors import otelcol
from tests.servers.processes import free_ports
from tests.support.policy_cases import Case, decision_cases, policy_cases, rules_of, trace_of, waiting

pytestmark = pytest.mark.server

Policies = Sequence[Mapping[str, Any]]
MARK: Final = "case"
GENERATED: Final = 300
# Without those whose weights it does not write.
CASES: Final = [case for case in (*policy_cases(), *decision_cases()) if "weights" not in case.options]
FIRST: Final = "sample_on_first_match"
OLD: Final = "legacy_invert_match"
GATE_OF_OLD: Final = "-processor.tailsamplingprocessor.disableinvertdecisions"


def policy(kind: str, **settings: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, kind: settings}


def plain(kind: str) -> dict[str, Any]:
    return {"name": kind, "type": kind}


def share(percent: float, **more: Any) -> dict[str, Any]:
    return policy("probabilistic", sampling_percentage=percent, **more)


def texts(key: str, *values: str, **more: Any) -> dict[str, Any]:
    return policy("string_attribute", key=key, values=list(values), **more)


def joined(*inside: Mapping[str, Any]) -> dict[str, Any]:
    return policy("and", and_sub_policy=list(inside))


def without(*inside: Mapping[str, Any]) -> dict[str, Any]:
    return policy("drop", drop_sub_policy=list(inside))


def composed(*inside: Mapping[str, Any]) -> dict[str, Any]:
    parts = [{**part, "name": f"part {place}"} for place, part in enumerate(inside)]
    shares = [{"policy": part["name"], "percent": 100 // len(parts)} for part in parts]
    order = [part["name"] for part in parts]
    limit = 100_000_000
    return policy(
        "composite",
        max_total_spans_per_second=limit, policy_order=order, composite_sub_policy=parts, rate_allocation=shares,
    )  # fmt: skip


ERRORS: Final = policy("status_code", status_codes=["ERROR"])
SLOW: Final = policy("latency", threshold_ms=1001)
MANY: Final = policy("span_count", min_spans=4)
HEALTH: Final = texts("route", "^/health", enabled_regex_matching=True)
NOT_SHOP: Final = texts("service.name", "shop", invert_match=True)
TOKENS: Final = policy("numeric_attribute", key="tokens", min_value=700)
CACHED: Final = policy("boolean_attribute", key="cached", value=True)
LISTS: Final[dict[str, Policies]] = {
    **{f"latency {ms}": [policy("latency", threshold_ms=ms)] for ms in (1, 101, 999, 2503)},
    **{f"tokens {low} {high}": [policy("numeric_attribute", key="tokens", **bounds, invert_match=inverts)]
       for low, high in ((100, None), (None, 300), (200, 600)) for inverts in (False, True)
       for bounds in [{k: v for k, v in (("min_value", low), ("max_value", high)) if v is not None}]},
    **{f"cached {value} {inverts}": [policy("boolean_attribute", key="cached", value=value, invert_match=inverts)]
       for value in (False, True) for inverts in (False, True)},
    **{f"route {values}": [texts("route", *values)] for values in (("/chat",), ("/chat", "/live"), ("/none",), ("",))},
    **{f"route like {source}": [texts("route", source, enabled_regex_matching=True)]
       for source in ("^/c", "t$", "v[0-9]+", r"\d", r"^\W\w+$", "(?i)CHAT", "")},
    **{f"not {key}": [texts(key, value, invert_match=True)]
       for key, value in (("route", "/chat"), ("service.name", "shop"))},
    **{f"share {percent}": [share(percent)] for percent in (0, 0.001, 1, 12.5, 33.333, 50, 66.6, 99.99, 100)},
    **{f"salt {salt}": [share(30, hash_salt=salt)] for salt in ("", "a", "pepper", "sälz")},
    **{f"status {codes}": [policy("status_code", status_codes=list(codes))]
       for codes in (("OK",), ("ERROR",), ("UNSET",), ("OK", "ERROR"), ("OK", "ERROR", "UNSET"))},
    **{f"spans {low} {high}": [policy("span_count", min_spans=low, max_spans=high)]
       for low, high in ((2, 0), (0, 3), (3, 4), (0, 0))},
    **{f"vendor {values}": [policy("trace_state", key="vendor", values=list(values))]
       for values in (("red",), ("red", "blue"), ("",))},
    "flags": [plain("trace_flags")],
    "all": [plain("always_sample")],
    "all errors of the shop": [joined(ERRORS, texts("service.name", "shop"))],
    "a share of long ones": [joined(MANY, SLOW, share(50))],
    "and, inverted": [joined(NOT_SHOP, CACHED)],
    **{f"not {kind['type']}": [policy("not", not_sub_policy=kind)]
       for kind in (ERRORS, SLOW, MANY, HEALTH, NOT_SHOP, TOKENS, CACHED, share(40))},
    "any of these": [ERRORS, SLOW, TOKENS, share(5)],
    "any, inverted": [ERRORS, NOT_SHOP],
    "without health checks": [plain("always_sample"), without(HEALTH)],
    "without quiet health checks": [without(HEALTH, policy("latency", threshold_ms=500)), share(50), ERRORS],
    "without the shop": [SLOW, CACHED, without(texts("service.name", "shop"))],
    "without a share": [plain("always_sample"), without(share(50))],
    "composed": [composed(ERRORS, joined(CACHED, SLOW), TOKENS)],
    "composed, beside others": [composed(ERRORS, NOT_SHOP), CACHED],
}  # fmt: skip


def _span(rng: random.Random) -> dict[str, Any]:
    """A span whose attributes have the types that policies look for: what is made of others stands in the tables."""
    start = rng.randrange(0, 400) * 7
    raw: dict[str, Any] = {"start_ms": start, "end_ms": start + rng.randrange(1, 300) * 7}
    raw["status"] = rng.choices(("UNSET", "OK", "ERROR"), (6, 3, 1))[0]
    raw["flags"] = rng.choice((0, 0, 1, 0x100, 0x101))
    raw["tracestate"] = rng.choices(("", "vendor=red", "a=b,vendor=blue", "vendor=red,bad"), (8, 1, 1, 1))[0]
    attributes: dict[str, Any] = {}
    if rng.random() < 0.6:
        attributes["route"] = rng.choice(("/chat", "/live", "/health/ready", "/v2/chat", "/Chat\n", "/9"))
    if rng.random() < 0.4:
        attributes["tokens"] = rng.randrange(1, 1000)
    if rng.random() < 0.3:
        attributes["cached"] = rng.random() < 0.5
    resource: dict[str, Any] = {"service.name": rng.choice(("shop", "web", "web", "auth"))}
    if rng.random() < 0.1:
        key, value = rng.choice((("tokens", 777), ("cached", True), ("route", "/chat")))
        resource[key] = value
    return {**raw, "attributes": attributes, "resource": resource}


def _generated() -> list[TracesData]:
    rng = random.Random(8)
    return [
        trace_of(rng.randbytes(16), [_span(rng) for _ in range(rng.choice((1, 1, 2, 3, 4, 6)))])
        for _ in range(GENERATED)
    ]


TRACES: Final = _generated()


@dataclass(frozen=True)
class Setup:
    """Policies, as JSON with names of their own, and how they are asked."""

    text: str
    first: bool = False
    old: bool = False

    @classmethod
    def of(cls, policies: Policies, options: Mapping[str, Any] | None = None) -> Setup:
        """From a list, and the options of the processor."""
        options = options or {}
        unique = [{**each, "name": f"p{place}"} for place, each in enumerate(policies)]
        return cls(json.dumps(unique), options.get(FIRST, False), options.get(OLD, False))

    def kept_of(self, traces: Sequence[TracesData]) -> set[bytes]:
        """Ids of the traces that Penstock keeps."""
        setting = Setting(legacy_invert_match=self.old)
        rules = rules_of(json.loads(self.text), setting, sample_on_first_match=self.first)
        return {_id(data) for data in traces if rules.decide(waiting(rules, data), 0.0).kept}


def _mixed() -> Iterator[Setup]:
    """Lists in which all kinds meet."""
    rng = random.Random(9)
    pool = [policies[0] for policies in LISTS.values()]
    for number in range(60):
        chosen = rng.sample(pool, rng.choice((2, 2, 3, 4)))
        yield Setup.of(chosen, {FIRST: number % 3 == 0, OLD: number % 2 == 0})


OF_TRACES: Final = {
    **{name: Setup.of(policies) for name, policies in LISTS.items()},
    **{f"{name}, as of old": Setup.of(policies, {OLD: True}) for name, policies in LISTS.items()
       if "invert" in json.dumps(policies)},
    **{f"mixed {number}": setup for number, setup in enumerate(_mixed())},
}  # fmt: skip
OF_CASES: Final = [Setup.of(case.policies, case.options) for case in CASES]


def _config(setups: Sequence[Setup], port: int, backend_port: int) -> dict[str, Any]:
    processors: dict[str, Any] = {"batch": {"timeout": "100ms"}}
    pipelines: dict[str, Any] = {}
    for number, setup in enumerate(setups):
        processors[f"tail_sampling/{number}"] = {
            "decision_wait": "1h", "policies": json.loads(setup.text), FIRST: setup.first
        }  # fmt: skip
        processors[f"resource/{number}"] = {"attributes": [{"key": MARK, "value": str(number), "action": "upsert"}]}
        pipelines[f"traces/{number}"] = {
            "receivers": ["otlp"],
            "processors": [f"tail_sampling/{number}", f"resource/{number}", "batch"],
            "exporters": ["otlp_grpc"],
        }
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": processors,
        "exporters": {"otlp_grpc": {"endpoint": f"127.0.0.1:{backend_port}", "tls": {"insecure": True}}},
        "service": {"pipelines": pipelines},
    }


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[Setup, set[bytes]]:
    """What the real Collector keeps."""
    every = dict.fromkeys((*OF_TRACES.values(), *OF_CASES))
    kept: dict[Setup, set[bytes]] = {}
    for old in (False, True):
        gates = [GATE_OF_OLD] if old else []
        kept |= _kept([setup for setup in every if setup.old == old], tmp_path_factory.mktemp("otelcol"), gates)
    return kept


def _kept(setups: Sequence[Setup], folder: Path, gates: Sequence[str]) -> dict[Setup, set[bytes]]:
    (port,) = free_ports(1)
    groups = [group for data in (*TRACES, *(case.trace for case in CASES)) for group in data.resource_spans]
    body = ExportTraceServiceRequest(resource_spans=groups).SerializeToString()
    kept: dict[Setup, set[bytes]] = {setup: set() for setup in setups}
    with otlp_backend() as backend:
        with otelcol(_config(setups, port, backend.grpc_port), folder, ports=[port], gates=gates):
            url = f"http://127.0.0.1:{port}/v1/traces"
            request = urllib.request.Request(url, body, {"content-type": "application/x-protobuf"})
            urllib.request.urlopen(request, timeout=60).close()
        # At its end it has decided all, and sent it.
        for sent in backend.bodies["traces"]:
            for group in ExportTraceServiceRequest.FromString(sent).resource_spans:
                setup = setups[int(str(from_key_values(group.resource.attributes)[MARK]))]
                kept[setup] |= {span.trace_id for scope in group.scope_spans for span in scope.spans}
    return kept


def _id(data: TracesData) -> bytes:
    return data.resource_spans[0].scope_spans[0].spans[0].trace_id


@pytest.mark.parametrize("name", OF_TRACES)
def test_generated_traces(name: str, real: dict[Setup, set[bytes]]) -> None:
    setup = OF_TRACES[name]
    assert setup.kept_of(TRACES) == real[setup] & {_id(data) for data in TRACES}


@pytest.mark.parametrize(("case", "setup"), [*zip(CASES, OF_CASES, strict=True)], ids=map(str, CASES))
def test_cases_say_what_the_collector_does(case: Case, setup: Setup, real: dict[Setup, set[bytes]]) -> None:
    assert (_id(case.trace) in real[setup]) == case.collector
