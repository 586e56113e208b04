"""Keys of gRPC clients: what they ask of the channel, and what cannot be honoured."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.exporters.otlp_grpc import OtlpGrpcConfig
from pipeline.transport import client_grpc


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
        ("localhost:4317", True, "localhost:4317", False),
        ("http://localhost:4317", False, "localhost:4317", False),
        ("https://localhost:4317/", True, "localhost:4317", True),
        ("dns:///backend.example:4317", False, "dns:///backend.example:4317", True),
        ("passthrough:///10.0.0.1:4317", True, "10.0.0.1:4317", False),
        ("[::1]:4317", True, "[::1]:4317", False),
        ("unix:///run/otlp.sock", True, "unix:///run/otlp.sock", False),
    ],
)
def test_the_endpoint_says_where_and_whether_with_tls(
    endpoint: str, *, insecure: bool, target: str, is_secure: bool
) -> None:
    made = config(endpoint=endpoint, tls={"insecure": insecure})

    assert made.target == target
    assert made.is_secure is is_secure


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ({"balancer_name": "pick_first"}, {"grpc.lb_policy_name": "pick_first"}),
        ({"authority": "a.example"}, {"grpc.default_authority": "a.example"}),
        ({"user_agent": "shop/1"}, {"grpc.primary_user_agent": "shop/1"}),
        ({"read_buffer_size": 1024}, {"grpc.experimental.tcp_read_chunk_size": 1024}),
        ({"write_buffer_size": 2048}, {"grpc.http2.write_buffer_size": 2048}),
        ({"tls": {"server_name_override": "b.example"}}, {"grpc.ssl_target_name_override": "b.example"}),
        (
            {"keepalive": {"time": 30.0, "timeout": 2.0, "permit_without_stream": True}},
            {
                "grpc.keepalive_time_ms": 30_000,
                "grpc.keepalive_timeout_ms": 2_000,
                "grpc.keepalive_permit_without_calls": 1,
                "grpc.http2.max_pings_without_data": 0,
            },
        ),
        ({"keepalive": {"time": 1.0}}, {"grpc.keepalive_time_ms": 10_000}),
    ],
)
def test_keys_become_options_of_the_channel(keys: dict[str, Any], options: dict[str, Any]) -> None:
    found = client_grpc._options(config(**keys))

    assert {name: found.get(name) for name in options} == options


def test_without_keepalive_no_pings_are_asked_for() -> None:
    assert not [name for name in client_grpc._options(config()) if "keepalive" in name]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"endpoint": ""}, 'requires a non-empty "endpoint"'),
        ({"endpoint": "localhost"}, "expected host:port"),
        ({"endpoint": "localhost:otlp"}, "expected host:port"),
        ({"compression": "zstd"}, "grpcio compresses with gzip only, not zstd"),
        ({"compression": "snappy"}, "grpcio compresses with gzip only, not snappy"),
        ({"compression": "brotli"}, "Input should be"),
        ({"balancer_name": "weighted"}, "Input should be"),
        ({"middlewares": [{"id": "x"}]}, "not supported"),
        ({"tls": {"insecure_skip_verify": True}}, "always verifies"),
        ({"tls": {"min_version": "1.3"}}, "TLS 1.2 and 1.3"),
        ({"tls": {"max_version": "1.2"}}, "TLS 1.2 and 1.3"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_be_honoured_is_refused(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        config(**keys)


def test_tls_keys_say_nothing_where_there_is_no_tls() -> None:
    assert not config(tls={"insecure": True, "insecure_skip_verify": True}).is_secure
