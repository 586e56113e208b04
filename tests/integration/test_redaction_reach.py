"""Redaction in a running collector: recordings of all signals, with and without the normaliser in front."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import log_request, metric_request, trace_request
from tests.evaluation.planted import forms
from tests.servers.backend import Backend, otlp_backend
from tests.servers.collectors import penstock
from tests.servers.processes import free_ports
from tests.unit.processors.redaction.test_captures import CAPTURES, NOT_BY_DEFAULT, read

pytestmark = pytest.mark.server

MAIL: Final = "jane.sample@example.com"
DIALECTS: Final = (
    "otel-openai-v2",
    "openinference-openai",
    "langfuse-openai",
    "traceloop-openai",
    "strands",
    "vercel-ai-sdk",
)
CHAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "all": ("redaction/all",),
    "normalized": ("gen_ai_normalizer", "redaction/all"),
    "default": ("redaction",),
}


class Chains:
    """A collector with one chain of processors behind each port, all before one backend."""

    def __init__(self, backend: Backend, ports: Mapping[str, int]) -> None:
        self._backend = backend
        self._ports = ports

    def send(self, chain: str, signal: str, body: bytes) -> bytes:
        """What leaves the chain for one request."""
        return b"".join(self._backend.behind(self._ports[chain], signal, body))


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chains]:
    ports = dict(zip(CHAINS, free_ports(len(CHAINS)), strict=True))
    with otlp_backend() as backend:
        config: dict[str, Any] = {
            "receivers": {
                f"otlp/{name}": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}
                for name, port in ports.items()
            },
            "processors": {"redaction": {}, "redaction/all": {"entities": "all"}, "gen_ai_normalizer": {}},
            "exporters": {
                "otlphttp": {
                    "endpoint": f"http://127.0.0.1:{backend.http_port}",
                    "sending_queue": {"enabled": False},
                    "compression": "none",
                }
            },
            "service": {
                "pipelines": {
                    f"{signal}/{name}": {
                        "receivers": [f"otlp/{name}"],
                        "processors": [
                            processor
                            for processor in chain
                            if signal is not Signal.METRICS or processor.startswith("redaction")
                        ],
                        "exporters": ["otlphttp"],
                    }
                    for name, chain in CHAINS.items()
                    for signal in Signal
                }
            },
        }
        with penstock(config, tmp_path_factory.mktemp("reach"), ports=list(ports.values())):
            yield Chains(backend, ports)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("chain", CHAINS)
def test_nothing_planted_leaves_the_process(chain: str, dialect: str, chains: Chains) -> None:
    spared = NOT_BY_DEFAULT if chain == "default" else set()
    found = 0
    for recording in read(CAPTURES / dialect):
        output = chains.send(chain, recording.signal, recording.body)
        assert parse(recording.signal, output).count == parse(recording.signal, recording.body).count
        for planted in recording.truth.get("planted", ()):
            if planted["type"] not in spared:
                found += 1
                assert not any(form in output for form in forms(planted["value"])), planted["type"]
    assert found


def test_an_id_of_a_user_is_one_pseudonym_in_all_signals(chains: Chains) -> None:
    metric = metric_request({"calls": [1.0]})
    point = metric.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    point.attributes.add(key="user.id").value.string_value = MAIL
    bodies = {
        "traces": trace_request({"user.id": MAIL}, resource={"enduser.id": MAIL}).SerializeToString(),
        "logs": log_request({"user_id": MAIL}).SerializeToString(),
        "metrics": metric.SerializeToString(),
    }
    outputs = [chains.send("default", signal, body) for signal, body in bodies.items()]
    names = [name for output in outputs for name in re.findall(rb"<EMAIL:[0-9a-f]+>", output)]
    assert len(names) == 4
    assert len(set(names)) == 1
    assert not any(MAIL.encode() in output for output in outputs)
