"""Labelled cases of cost through the chain, beside the price that independent tables agree on: `make eval-cost`.

Black box: a case becomes a span, which goes over OTLP through `gen_ai_cost`, with the normaliser in front of it and
without, and the cost is read from what comes out. A file of cases has a JSON object a line: `kind`, `provider`,
`model`, `usage`, `at`, `expected_usd` (null: must stay without a price), `rel_tol`, and by kind `context`, `override`,
`attributes`, `response`, `spans`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Signal
from pipeline.signals.values import set_any_value
from processors.demo.backend import grpc_backend
from processors.demo.collector import running
from processors.demo.recordings import Export
from processors.demo.replay import Sender
from tests.benchmarks.report import table
from tests.evaluation.chain import Arrivals, count_items
from tests.evaluation.records import records
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.evaluation.chain import Messages

CASE_ID: Final = "case.id"
BEHIND, ALONE = "behind the normaliser", "alone"
_FOREIGN: Final = frozenset({"attributes", "response"})
"""Kinds that need the normaliser: they do not speak the conventions."""
_ENOUGH: Final = {"usage": 276 / 280}
"""The share of a kind that must be right; all of any other."""
_USAGE: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_creation_input_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "cache_creation_1h_input_tokens": "penstock.gen_ai.usage.cache_creation_1h.input_tokens",
    "reasoning_output_tokens": "gen_ai.usage.reasoning.output_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
}
_TIER: Final = {"openai": "openai.response.service_tier", "anthropic": "anthropic.response.service_tier"}
_SECOND_NS: Final = 10**9


@dataclass(frozen=True)
class Case:
    """One line of the file."""

    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.data["kind"])

    @property
    def expected_usd(self) -> float | None:
        value = self.data["expected_usd"]
        return None if value is None else float(value)

    @cached_property
    def processors(self) -> dict[str, Any]:
        """What the processors are configured with."""
        if self.kind == "override":
            match = {key: self.data[key] for key in ("provider", "model")}
            return {"gen_ai_cost": {"overrides": [{"match": match, **self.data["override"]}]}}
        if self.kind == "trace":
            return {"gen_ai_normalizer": {"aggregates": "when_no_leaf_seen"}}
        return {}

    def is_right(self, costs: list[float]) -> bool:
        """Whether what came out for the spans of the case is what was expected."""
        if self.expected_usd is None or not costs:
            return self.expected_usd is None and not costs
        return math.isclose(sum(costs), self.expected_usd, rel_tol=self.data["rel_tol"], abs_tol=1e-12)

    def request(self) -> ExportTraceServiceRequest:
        """The case as telemetry."""
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        set_any_value(group.resource.attributes.add(key="service.name").value, "cost")
        scope = group.scope_spans.add()
        start_ns = int(datetime.fromisoformat(self.data["at"]).timestamp()) * _SECOND_NS
        trace_id = self.data["id"].encode()[-16:].rjust(16, b"0")
        for index, attributes in enumerate(self._spans()):
            span = scope.spans.add(
                trace_id=trace_id,
                span_id=_span_id(attributes.pop("span_id", str(index))),
                parent_span_id=_span_id(attributes.pop("parent_id", None)),
                name="call",
                start_time_unix_nano=start_ns,
                end_time_unix_nano=start_ns + int((self.data.get("duration_s") or 1) * _SECOND_NS),
            )
            for key, value in {CASE_ID: self.data["id"], **attributes}.items():
                set_any_value(span.attributes.add(key=key).value, value)
        return request

    def _spans(self) -> list[dict[str, Any]]:
        if self.kind == "trace":
            return [dict(span) for span in self.data["spans"]]
        if self.kind == "attributes":
            return [dict(self.data["attributes"])]
        return [self._response() if self.kind == "response" else self._conventions()]

    def _response(self) -> dict[str, Any]:
        return {
            "openinference.span.kind": "LLM",
            "llm.provider": self.data["provider"],
            "output.value": json.dumps(self.data["response"]),
            "output.mime_type": "application/json",
        }

    def _conventions(self) -> dict[str, Any]:
        provider, model = self.data["provider"], self.data["model"]
        context = self.data.get("context") or {}
        tier = context.get("processing", context.get("service_tier"))
        usage = {_USAGE[key]: value for key, value in self.data["usage"].items() if key in _USAGE}
        said = {
            "gen_ai.operation.name": "embeddings" if "embedding" in self.data["tags"] else "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": self.data.get("request_model", model),
            "gen_ai.response.model": self.data.get("response_model"),
            _TIER.get(provider, "gen_ai.response.service_tier"): tier,
            **usage,
        }
        return {key: value for key, value in said.items() if value is not None}


def _span_id(name: str | None) -> bytes:
    return name.encode().rjust(8, b"0") if name else b""


def load_cases(file: Path) -> list[Case]:
    """The cases of a file."""
    return [Case(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Outcome:
    """What came out for one case on one way."""

    case: Case
    way: str
    said: list[dict[str, Any]]
    """Attributes of its spans."""

    @property
    def costs(self) -> list[float]:
        return [span["penstock.cost.usd"] for span in self.said if "penstock.cost.usd" in span]

    @property
    def is_right(self) -> bool:
        return self.case.is_right(self.costs)

    def __str__(self) -> str:
        data = self.case.data
        asked = {key: data[key] for key in ("provider", "model", "usage", "context", "attributes") if key in data}
        found = [{k: v for k, v in span.items() if k.startswith("penstock.cost.")} for span in self.said]
        wanted = f"{data['id']} {self.case.kind} {self.way}: {asked} at {data['at']}"
        return f"{wanted}: expected {self.case.expected_usd}, said {found}"


def evaluate(cases: list[Case]) -> list[Outcome]:
    """Run all cases, each way that can be asked of it."""
    ways = [(BEHIND, cases), (ALONE, [case for case in cases if case.kind not in _FOREIGN])]
    return [outcome for way, some in ways if some for outcome in _evaluate(way, some)]


def _evaluate(way: str, cases: list[Case]) -> list[Outcome]:
    by_settings: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_settings[json.dumps(case.processors, sort_keys=True)].append(case)
    settings = [json.loads(text) for text in by_settings]
    with _collector(way, settings) as (ports, arrivals):
        for port, some in zip(ports, by_settings.values(), strict=True):
            with Sender(port) as sender:
                sender.send(_exports(some))
        sent = Counter(traces=sum(count_items(Signal.TRACES, case.request()) for case in cases))
        found = _by_case(arrivals.take(sent))
    return [Outcome(case, way, found[case.data["id"]]) for case in cases]


def _exports(cases: Iterable[Case]) -> Iterator[Export]:
    for case in cases:
        yield Export("traces", "application/x-protobuf", case.request().SerializeToString(), received_unix_ns=0)


def _by_case(messages: Messages) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for signal, message in messages:
        for record in records(signal, message):
            found[record.attributes[CASE_ID]].append(record.attributes)
    return found


@contextlib.contextmanager
def _collector(way: str, settings: list[dict[str, Any]]) -> Iterator[tuple[list[int], Arrivals]]:
    """One collector with a pipeline, and a port, for each set of settings."""
    arrivals = Arrivals()
    with tempfile.TemporaryDirectory() as folder, grpc_backend(arrivals.add) as backend:
        ports = free_ports(len(settings))
        file = Path(folder) / "cost.yaml"
        file.write_text(yaml.safe_dump(_configuration(way, settings, ports, backend)), encoding="utf-8")
        with running([file], Path(folder)):
            yield ports, arrivals


def _configuration(way: str, settings: list[dict[str, Any]], ports: list[int], backend: int) -> dict[str, Any]:
    chain = ["gen_ai_normalizer", "gen_ai_cost"] if way == BEHIND else ["gen_ai_cost"]
    receivers: dict[str, Any] = {}
    processors: dict[str, Any] = {}
    pipelines: dict[str, Any] = {}
    for index, (port, some) in enumerate(zip(ports, settings, strict=True)):
        receivers[f"otlp/{index}"] = {"protocols": {"http": {"endpoint": f"localhost:{port}"}}}
        processors |= {f"{name}/{index}": some.get(name) for name in chain}
        names = [f"{name}/{index}" for name in chain]
        pipelines[f"traces/{index}"] = {"receivers": [f"otlp/{index}"], "processors": names, "exporters": ["otlp_grpc"]}
    return {
        "receivers": receivers,
        "processors": processors,
        "exporters": {"otlp_grpc": {"endpoint": f"127.0.0.1:{backend}", "tls": {"insecure": True}}},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": pipelines},
    }


def falls_short(outcomes: list[Outcome]) -> list[str]:
    """The kinds of cases with too few right, by way."""
    return [
        f"{kind} {way}: {right} of {total}"
        for (kind, way), (right, total) in _sums(outcomes).items()
        if right < total * _ENOUGH.get(kind, 1)
    ]


def _sums(outcomes: list[Outcome]) -> dict[tuple[str, str], tuple[int, int]]:
    total = Counter((outcome.case.kind, outcome.way) for outcome in outcomes)
    right = Counter((outcome.case.kind, outcome.way) for outcome in outcomes if outcome.is_right)
    return {key: (right[key], total[key]) for key in sorted(total)}


def main() -> int:
    """Print the table and each miss; exit status 1 when a kind falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="cases, a JSON object a line")
    outcomes = evaluate(load_cases(parser.parse_args().file))
    rows = [[kind, way, f"{right}/{total}"] for (kind, way), (right, total) in _sums(outcomes).items()]
    sys.stdout.write(table(("kind", "way", "right"), rows) + "\n\n")
    sys.stdout.writelines(f"{outcome}\n" for outcome in outcomes if not outcome.is_right)
    short = falls_short(outcomes)
    sys.stdout.write(f"short: {', '.join(short)}\n" if short else "enough of every kind\n")
    return bool(short)


if __name__ == "__main__":
    sys.exit(main())
