"""Keys of gRPC clients: what they ask of the channel, and what cannot be honoured."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.exporters.otlp_grpc import OtlpGrpcConfig


def config(**keys: Any) -> OtlpGrpcConfig:
    return OtlpGrpcConfig(**{"endpoint": "localhost:4317", **keys})


def test_defaults_are_the_collectors() -> None:
    made = config()

    assert (made.compression, made.write_buffer_size, made.read_buffer_size) == ("gzip", 524288, 0)
    assert (made.wait_for_ready, made.balancer_name, made.keepalive, made.auth) == (False, "round_robin", None, None)
    assert made.timeout == 5


@pytest.mark.parametrize(
    ("endpoint", "insecure", "target", "is_secure"),
    [
        ("localhost:4317", False, "localhost:4317", True),
        (":4317", True, ":4317", False),
        ("localhost:4317", True, "localhost:4317", False),
        ("http://localhost:4317", False, "localhost:4317", False),
        ("https://localhost:4317/", True, "localhost:4317", True),
        ("dns:///backend.example:4317", False, "backend.example:4317", True),
        ("passthrough:///10.0.0.1:4317", True, "10.0.0.1:4317", False),
        ("[::1]:4317", True, "[::1]:4317", False),
    ],
)
def test_the_endpoint_says_where_and_whether_with_tls(
    endpoint: str, *, insecure: bool, target: str, is_secure: bool
) -> None:
    made = config(endpoint=endpoint, tls={"insecure": insecure})

    assert made.target == target
    assert made.is_secure is is_secure


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"endpoint": ""}, 'requires a non-empty "endpoint"'),
        ({"endpoint": "localhost"}, "expected host:port"),
        ({"endpoint": "localhost:otlp"}, "expected host:port"),
        ({"compression": "brotli"}, "Input should be"),
        ({"balancer_name": "weighted"}, "Input should be"),
        ({"middlewares": [{"id": "x"}]}, "not supported"),
        ({"read_buffer_size": 1024}, "not supported"),
        ({"keepalive": {"time": -1.0}}, "greater than or equal to 0"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_be_honoured_is_refused(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        config(**keys)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [("localhost:4317", ("localhost", 4317)), ("[::1]:4317", ("::1", 4317)), (":4317", ("localhost", 4317))],
)
def test_the_address_of_an_endpoint(endpoint: str, address: tuple[str, int]) -> None:
    assert config(endpoint=endpoint).address == address


@pytest.mark.parametrize("endpoint", ["unix:///run/otlp.sock", "unix:/run/otlp.sock"])
def test_the_path_of_a_socket(endpoint: str) -> None:
    assert config(endpoint=endpoint).unix_path == "/run/otlp.sock"
    assert config().unix_path is None


@pytest.mark.parametrize(("compression", "coding"), [("gzip", "gzip"), ("zstd", "zstd"), ("none", None), ("", None)])
def test_the_name_of_the_compression_on_the_wire(compression: str, coding: str | None) -> None:
    assert config(compression=compression).coding == coding
