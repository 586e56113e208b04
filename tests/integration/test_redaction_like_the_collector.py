"""With only the Collector's keys, `redaction` gives what the real Collector's processor gives, on all signals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.json_format import MessageToDict

from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured, log_request, metric_request, trace_request
from processors.redaction.processor import Redaction
from tests.servers.backend import Backend, otlp_backend
from tests.servers.collectors import otelcol
from tests.servers.processes import free_ports

pytestmark = pytest.mark.server

MAIL: Final = "jane.sample@example.com"
EVERY_SHAPE: Final[Mapping[str, Any]] = {
    "text": f"mail {MAIL} and 4111111111111111",
    "lines": "one\n\nthree 4111111111111111\n",
    "empty": "",
    "card": 4111111111111111,
    "ratio": 0.25,
    "whole": 3.0,
    "large": 1.5e21,
    "small": 1.5e-7,
    "negative": -12.75,
    "flag": True,
    "bytes": b"4111111111111111",
    "list": ["4111111111111111", 4111111111111111, None, 1.5],
    "map": {"b": "<4111111111111111> & more", "a": 1, "c": {"api_token": "x"}, "d": [b"ab"]},
    "api_token": "topsecret",
    "token_count": 53,
    "safe.note": MAIL,
    "own": "me@mycompany.example",
    "日本": "東京 4111111111111111 東京",
    "redaction.masked.count": 2,
    "redaction.masked.keys": "earlier",
}
CARDS: Final = "4[0-9]{12}(?:[0-9]{3})?"
CONFIGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "nothing is allowed": {"allow_all_keys": False},
    "some keys": {"allowed_keys": ["text", "card", "map"], "summary": "debug"},
    "values": {"allow_all_keys": True, "blocked_values": [CARDS, "[a-z.]+@[a-z.]+"], "summary": "debug"},
    "all types": {
        "allow_all_keys": True,
        "redact_all_types": True,
        "blocked_values": [CARDS, "true", r"\.5", "e.?21", "e-7", "u003c", "NDExMT"],
        "summary": "info",
    },
    "keys": {
        "allow_all_keys": True,
        "blocked_key_patterns": ["token", "lines", "empty", "bytes"],
        "ignored_keys": ["token_count"],
        "ignored_key_patterns": ["^safe\\."],
        "blocked_values": ["@"],
        "allowed_values": ["@mycompany\\.example$"],
        "summary": "debug",
    },
    "empty matches": {"allow_all_keys": True, "blocked_values": ["4*"], "summary": "silent"},
    "only empty matches": {"allow_all_keys": True, "blocked_values": ["^"], "summary": "silent"},
    "anchors": {"allow_all_keys": True, "blocked_values": [r"\btoken|\bmail\b", r"(?i)JANE", r"\d{4}$"]},
    "md5": {"allow_all_keys": True, "blocked_values": [CARDS], "blocked_key_patterns": ["api"], "hash_function": "md5"},
    "sha1": {"allow_all_keys": True, "blocked_values": [CARDS], "hash_function": "sha1"},
    "sha3": {"allow_all_keys": True, "blocked_values": [CARDS], "hash_function": "sha3"},
}


def requests() -> dict[str, bytes]:
    """One request of each signal with values of every shape in every place that the Collector looks at."""
    shapes = dict(EVERY_SHAPE)
    trace = trace_request(shapes, resource=shapes, name=f"GET /{MAIL}")
    spans = trace.resource_spans[0].scope_spans[0]
    spans.spans[0].status.SetInParent()
    spans.scope.attributes.add(key="text").value.string_value = MAIL
    spans.spans[0].events.add(name="e").attributes.add(key="text").value.string_value = f"4111111111111111 {MAIL}"
    spans.spans[0].links.add().attributes.add(key="text").value.string_value = MAIL
    bodies: tuple[Any, ...] = (
        f"mail {MAIL}",
        4111111111111111,
        1.5,
        b"ab",
        None,
        shapes,
        [shapes, "4111111111111111", ["a"]],
    )
    metric = metric_request({"sent": [1.0]})
    point = metric.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    point.attributes.add(key="text").value.string_value = MAIL
    logs = log_request(*bodies, attributes={"text": MAIL})
    return {
        "traces": trace.SerializeToString(),
        "logs": logs.SerializeToString(),
        "metrics": metric.SerializeToString(),
    }


def ordered(item: Any) -> Any:
    """Without the order of attributes, which means nothing and which the Collector changes when it deletes one."""
    if isinstance(item, dict):
        return {key: ordered(value) for key, value in item.items()}
    if isinstance(item, list):
        items = [ordered(value) for value in item]
        has_keys = bool(items) and all(isinstance(value, dict) and "key" in value for value in items)
        return sorted(items, key=lambda pair: str(pair["key"])) if has_keys else items
    return item


class RealCollector:
    """The Collector with one pipeline of each signal for each of `CONFIGS`."""

    def __init__(self, backend: Backend, ports: Mapping[str, int]) -> None:
        self._backend = backend
        self._ports = ports

    def redact(self, name: str, signal: str, body: bytes) -> bytes:
        """What the Collector makes of a request under the configuration `name`."""
        return self._backend.behind(self._ports[name], signal, body)[0]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCollector]:
    ports = dict(zip(CONFIGS, free_ports(len(CONFIGS)), strict=True))
    with otlp_backend() as backend:
        config: dict[str, Any] = {
            "receivers": {
                f"otlp/{index}": {"protocols": {"http": {"endpoint": f"127.0.0.1:{ports[name]}"}}}
                for index, name in enumerate(CONFIGS)
            },
            "processors": {f"redaction/{index}": dict(CONFIGS[name]) for index, name in enumerate(CONFIGS)},
            "exporters": {
                "otlphttp": {
                    "endpoint": f"http://127.0.0.1:{backend.http_port}",
                    "sending_queue": {"enabled": False},
                    "compression": "none",
                }
            },
            "service": {
                "pipelines": {
                    f"{signal}/{index}": {
                        "receivers": [f"otlp/{index}"],
                        "processors": [f"redaction/{index}"],
                        "exporters": ["otlphttp"],
                    }
                    for index in range(len(CONFIGS))
                    for signal in ("traces", "logs", "metrics")
                }
            },
        }
        folder: Path = tmp_path_factory.mktemp("otelcol")
        with otelcol(config, folder, ports=list(ports.values())):
            yield RealCollector(backend, ports)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_same_as_the_collector(collector: RealCollector, name: str, signal: str) -> None:
    body = requests()[signal]
    batch = parse(Signal(signal), body)
    processor: Redaction = configured(Redaction, **CONFIGS[name])
    processor.process(batch)
    expected = batch.signal.request_class.FromString(collector.redact(name, signal, body))
    assert ordered(MessageToDict(batch.message)) == ordered(MessageToDict(expected))
