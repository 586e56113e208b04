"""Every query of every dashboard has an answer: a real Prometheus scrapes collectors that are fed recordings.

A gateway as it ships, with both overlays, takes what `penstock replay` sends, twice or more often; beside it two
workers have an exporter that gives up, one whose queue is full, and one with a queue on disk.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
import trustme
import yaml

from pipeline.cli import main
from processors.demo.backend import grpc_backend
from processors.demo.recorded import PACKAGED, recorded
from processors.demo.recordings import CHECKOUT_FOLDER
from processors.demo.replay import Endpoint
from tests.servers.collectors import ROOT, penstock, penstock_command
from tests.servers.kafka.broker import Broker
from tests.servers.processes import Server, free_ports, listening, running
from tests.servers.prometheus import Prometheus, prometheus
from tests.servers.tempo import tempo
from tests.support.dashboards import FILES, Question, filled, label_values, load, questions, variables

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

DIALECTS: Final = (
    "gemini-cli",
    "google-adk",
    "mcp",
    "otel-openai-v2",
    "strands-latest",
    "traceloop-ollama",
    "vercel-ai-sdk-v5",
)
# One more with each pass: texts that adversarial has not seen.
PASSES: Final = ("autogen", "haystack", "crewai", "mastra", "langfuse-js", "openlit-langchain")
TOKEN: Final = "for-tests"
KAFKA: Final = "Kafka"
# Panel, query: the least that it shows of what has happened.
HAPPENED: Final = {
    ("Share of attacks", "A"): 0.001,
    ("Error share by provider", "A"): 0.01,
    ("Tools that fail", "A"): 0.01,
    ("Retrievals without a hit", "A"): 0.01,
    ("Feedback of users", "A"): 0.5,
    ("Exports that failed", "A"): 0.1,
    ("Exports that failed", "B"): 0.1,
    ("Refused and failed", "A"): 0.1,
    ("Requests turned away", "A"): 0.1,
    ("Dead letters", "A"): 1,
    ("Queues on disk", "A"): 1,
    ("Fullest queue", "A"): 0.5,
    ("Workers", "A"): 2,
}
# Grafana takes the larger of four scrapes, and of a step and a scrape: here a second each, and a step of nine.
RATE_INTERVAL: Final = "10s"


@dataclass(frozen=True)
class Fed:
    """A Prometheus that has seen all of it, and since when."""

    server: Prometheus
    since_s: float

    def rows(self, question: Question) -> list[dict[str, Any]]:
        """The series that Grafana would draw, each with its labels and its values."""
        now_s = time.time()
        values = {"__rate_interval": RATE_INTERVAL, "__range": f"{math.ceil(now_s - self.since_s)}s"}
        query = filled(question.text, values)
        if question.target["instant"]:
            return [row | {"values": [row["value"]]} for row in self.server.query(query)]
        return self.server.query_range(query, self.since_s, now_s, 1)

    def points(self, question: Question) -> list[float]:
        """All values of all series."""
        return [float(value) for row in self.rows(question) for _, value in row["values"]]


def _own_metrics(port: int) -> dict[str, Any]:
    names = {"without_scope_info": True, "without_units": True, "without_type_suffix": True}
    return {
        "metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port, **names}}}}]}
    }


@contextlib.contextmanager
def _gateway(folder: Path, backend_port: int) -> Iterator[tuple[int, list[str]]]:
    """The gateway as it ships, on free ports; yields where it takes OTLP/HTTP, and its pages."""
    grpc_port, http_port, llm_port, own_port, health_port = free_ports(5)
    often = {"metrics_flush_interval": "1s"}
    changes = {
        "receivers": {"otlp": {"protocols": {
            "grpc": {"endpoint": f"127.0.0.1:{grpc_port}"}, "http": {"endpoint": f"127.0.0.1:{http_port}"},
        }}},
        "processors": {"tail_sampling": {"deadline": {"settle": "500ms", "idle": "2s"}}},
        "connectors": {"gen_ai_metrics": often, "span_metrics": often},
        "exporters": {"prometheus": {"endpoint": f"127.0.0.1:{llm_port}"}},
        "extensions": {"health_check": {"endpoint": f"127.0.0.1:{health_port}"}},
        "service": {"telemetry": _own_metrics(own_port)},
    }  # fmt: skip
    folder.mkdir()
    (folder / "changes.yaml").write_text(yaml.safe_dump(changes))
    overlays = [ROOT / "configs" / "overlays" / f"{name}.yaml" for name in ("adversarial", "sampling")]
    uris = [ROOT / "configs" / "gateway.yaml", *overlays, folder / "changes.yaml"]
    command = [*penstock_command(), *(word for uri in uris for word in ("--config", str(uri)))]
    env = {
        **os.environ,
        "PENSTOCK_TOKEN": TOKEN,
        "PENSTOCK_BACKEND": f"127.0.0.1:{backend_port}",
        "PYTHONPATH": str(ROOT),
    }

    def ready(server: Server) -> bool:
        return "Everything is ready" in server.log() and listening(http_port, llm_port, own_port)

    with running(command, folder / "log", ready=ready, env=env):
        yield http_port, [f"127.0.0.1:{llm_port}", f"127.0.0.1:{own_port}"]


@contextlib.contextmanager
def _troubled(folder: Path) -> Iterator[tuple[Mapping[str, int], str]]:
    """Two workers in trouble: name of the trouble -> port of OTLP/HTTP; and their page."""
    nobody, own_port, tls_port, *ports = free_ports(6)
    away = {"endpoint": f"127.0.0.1:{nobody}", "tls": {"insecure": True}}
    exporters: dict[str, Any] = {
        "gives_up": {**away, "retry_on_failure": {"enabled": False}},
        "full": {
            **away,
            "sending_queue": {"sizer": "requests", "queue_size": 1, "num_consumers": 1},
            "retry_on_failure": {"initial_interval": "100ms", "max_interval": "1s", "max_elapsed_time": "3s"},
            "dead_letter": "nop",
        },
        "on_disk": {**away, "sending_queue": {"storage": "file_storage"}},
    }
    by_name = dict(zip(exporters, ports, strict=True))
    folder.mkdir()
    (folder / "queue").mkdir()
    certificate = trustme.CA().issue_cert("localhost")
    tls = {"cert_file": str(folder / "cert.pem"), "key_file": str(folder / "key.pem")}
    certificate.cert_chain_pems[0].write_to_path(tls["cert_file"])
    certificate.private_key_pem.write_to_path(tls["key_file"])
    receivers: dict[str, Any] = {
        f"otlp/{n}": {"protocols": {"http": {"endpoint": f"127.0.0.1:{p}"}}} for n, p in by_name.items()
    }
    receivers["otlp/gives_up"]["protocols"]["grpc"] = {"endpoint": f"127.0.0.1:{tls_port}", "tls": tls}
    config = {
        "receivers": receivers,
        "exporters": {f"otlp_grpc/{name}": settings for name, settings in exporters.items()} | {"nop": {}},
        "extensions": {"file_storage": {"directory": str(folder / "queue")}},
        "service": {
            "extensions": ["file_storage"],
            "telemetry": _own_metrics(own_port),
            "pipelines": {
                f"{signal}/{name}": {"receivers": [f"otlp/{name}"], "exporters": [f"otlp_grpc/{name}"]}
                for name in exporters
                for signal in ("traces", "logs")
            },
        },
    }
    with penstock(config, folder, ports=[*ports, own_port], workers=2) as server:
        yield by_name, f"127.0.0.1:{own_port}"
        # They would wait for their backend.
        parent = psutil.Process(server.pid)
        for process in (parent, *parent.children(recursive=True)):
            process.kill()


def _feed_troubled(ports: Mapping[str, int]) -> None:
    """Whatever is answered; a client that comes back would wait for good."""
    requests = recorded(PACKAGED[1:])
    for port in ports.values():
        with Endpoint(f"http://127.0.0.1:{port}") as endpoint:
            for request in requests:
                endpoint.post(request.signal.value, "application/x-protobuf", request.body)


def _seen(server: Prometheus, before: float) -> float:
    """Wait until more calls are counted than before, and all of them; how many there are."""
    metric = "penstock_gen_ai_client_calls_total"
    calls = f"sum({metric})"
    settled = f"{calls} > {before} and {calls} == sum({metric} offset 2s)"
    rows: list[dict[str, Any]] = []

    def is_settled() -> bool:
        rows[:] = server.query(settled)
        return bool(rows)

    server.server.wait_until(is_settled, timeout_s=90)
    return float(rows[0]["value"][1])


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """A folder with some of the recordings."""
    folder = tmp_path / "captures"
    folder.mkdir()
    for dialect in DIALECTS:
        (folder / dialect).symlink_to(CHECKOUT_FOLDER / dialect)
    return folder


@contextlib.contextmanager
def _fed(folder: Path, captures: Path) -> Iterator[Fed]:
    with (
        grpc_backend(lambda _signal, _body: None) as backend_port,
        _gateway(folder / "gateway", backend_port) as (http_port, pages),
        _troubled(folder / "troubled") as (troubled, page),
        prometheus(folder / "prometheus", targets=[*pages, page]) as server,
    ):
        fed, calls = Fed(server, time.time()), 0.0
        replay = [str(captures), str(PACKAGED[1]), "--to", f"http://127.0.0.1:{http_port}"]
        for number, dialect in enumerate(PASSES, start=1):
            (captures / dialect).symlink_to(CHECKOUT_FOLDER / dialect)
            assert main(["replay", *replay, "--header", f"authorization=Bearer {TOKEN}"]) == 0
            assert main(["replay", *replay, "--header", "authorization=Bearer wrong"]) == 1
            _feed_troubled(troubled)
            calls = _seen(server, calls)
            # A busy machine misses a scrape now and then.
            if number > 1 and not _unanswered(fed) and not _unseen(fed):
                break
        yield fed


def _told(points: Sequence[float]) -> bool:
    return any(not math.isnan(value) for value in points)


def _of_prometheus() -> list[Question]:
    return [question for question in questions() if not question.of_tempo and question.row != KAFKA]


def _unanswered(fed: Fed) -> list[str]:
    return [f"{question}: {question.text}" for question in _of_prometheus() if not _told(fed.points(question))]


def _everything_is_answered(fed: Fed) -> None:
    assert _unanswered(fed) == []
    assert _unseen(fed) == []


def _nothing_is_divided_by_nothing(fed: Fed) -> None:
    assert [str(question) for question in _of_prometheus() if math.inf in fed.points(question)] == []


def _what_a_legend_names_is_there(fed: Fed) -> None:
    for question in _of_prometheus():
        named = set(re.findall(r"\{\{(\w+)\}\}", question.target["legendFormat"]))
        there = {label for row in fed.rows(question) for label in row["metric"]}
        assert named <= there, f"{question}: {there}"


def _every_variable_has_values(fed: Fed) -> None:
    for path in FILES:
        for name, variable in variables(load(path)).items():
            if variable["type"] == "query":
                selector, label = label_values(filled(variable["query"]["query"], {}))
                found = {row["metric"].get(label, "") for row in fed.server.query(f"group by ({label}) ({selector})")}
                assert found - {""}, f"{path.name}: {name}"


def _a_choice_leaves_what_was_chosen(fed: Fed) -> None:
    (question,) = [q for q in questions() if (q.board, q.panel) == ("penstock-llm", "Calls by tenant")]
    chosen = {"tenant": "acme", "service": "assistant", "model": "gpt-4o-mini", "__rate_interval": "5m"}
    rows = fed.server.query(filled(question.text, chosen))
    assert [row["metric"] for row in rows] == [{"tenant": "acme"}]


def _unseen(fed: Fed) -> list[str]:
    """Panels that do not show what has happened, with the most that they show."""
    found = {}
    for panel, letter in HAPPENED:
        (question,) = [q for q in questions() if q.panel == panel and q.target["refId"] == letter]
        found[panel, letter] = max((value for value in fed.points(question) if not math.isnan(value)), default=-1.0)
    return [f"{where}: {most}" for where, most in found.items() if most < HAPPENED[where]]


def test_every_panel_shows_something(tmp_path: Path, captures: Path) -> None:
    # One test, so that processes that run tests side by side do not start all of this each for itself.
    assert len(_of_prometheus()) > 120
    with _fed(tmp_path, captures) as fed:
        for check in (
            _everything_is_answered,
            _nothing_is_divided_by_nothing,
            _what_a_legend_names_is_there,
            _every_variable_has_values,
            _a_choice_leaves_what_was_chosen,
        ):
            _in_the_end(check, fed)


def _in_the_end(check: Callable[[Fed], None], fed: Fed) -> None:
    """A scrape that a busy machine misses ends all series until the next one."""
    deadline_s = time.monotonic() + 60
    while True:
        try:
            return check(fed)
        except AssertionError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(1)


def test_every_trace_ql_finds_traces(tmp_path: Path, captures: Path) -> None:
    asked = [question for question in questions() if question.of_tempo]
    assert len(asked) >= 8
    with tempo(tmp_path / "tempo") as server, _gateway(tmp_path / "gateway", server.grpc_port) as (http_port, _):
        replay = [str(captures), str(PACKAGED[1]), "--to", f"http://127.0.0.1:{http_port}"]
        for _ in range(2):
            assert main(["replay", *replay, "--header", f"authorization=Bearer {TOKEN}"]) == 0
        for question in asked:
            server.found(filled(question.text, {}))


def test_panels_of_kafka_have_an_answer(kafka_broker: Broker, tmp_path: Path) -> None:
    http_port, own_port = free_ports(2)
    brokers = {"brokers": [kafka_broker.bootstrap]}
    config = {
        "receivers": {
            "otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{http_port}"}}},
            "kafka": {**brokers, "traces": {"topics": ["boards"]}, "initial_offset": "earliest"},
        },
        "exporters": {"kafka": {**brokers, "traces": {"topic": "boards"}}, "nop": {}},
        "service": {
            "telemetry": _own_metrics(own_port),
            "pipelines": {
                "traces/in": {"receivers": ["otlp"], "exporters": ["kafka"]},
                "traces/out": {"receivers": ["kafka"], "exporters": ["nop"]},
            },
        },
    }
    asked = [question for question in questions() if question.row == KAFKA]
    traces = [request.body for request in recorded(PACKAGED[1:]) if request.signal == "traces"]
    with (
        penstock(config, tmp_path / "penstock", ports=[http_port, own_port]),
        prometheus(tmp_path / "prometheus", targets=[f"127.0.0.1:{own_port}"]) as server,
        Endpoint(f"http://127.0.0.1:{http_port}") as endpoint,
    ):
        fed = Fed(server, time.time())
        bodies = itertools.cycle(traces)

        def answered() -> bool:
            assert endpoint.post("traces", "application/x-protobuf", next(bodies)).status == 200
            return all(_told(fed.points(question)) for question in asked)

        server.server.wait_until(answered, timeout_s=90)
