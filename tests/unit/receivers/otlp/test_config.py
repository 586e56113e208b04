"""The configuration of the receiver: defaults, what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.receivers.otlp import OtlpConfig
from pipeline.receivers.otlp.config import GrpcProtocol, HttpProtocol


def test_defaults() -> None:
    config = OtlpConfig.model_validate({"protocols": {"grpc": {}, "http": {}}})
    grpc, http = config.protocols.grpc, config.protocols.http
    assert grpc is not None
    assert http is not None
    assert (grpc.endpoint, http.endpoint) == ("localhost:4317", "localhost:4318")
    assert (grpc.max_message_bytes, http.max_body_bytes) == (4 << 20, 20 << 20)
    assert grpc.read_buffer_size == 524288
    assert http.compression_algorithms == (
        "", "gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4",
    )  # fmt: skip
    assert config.acknowledge == "accepted"


@pytest.mark.parametrize("config", [{}, {"protocols": {}}, {"protocols": {"grpc": None}}])
def test_no_protocol(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must specify at least one protocol when using the OTLP receiver"):
        OtlpConfig.model_validate(config)


@pytest.mark.parametrize("model", [GrpcProtocol, HttpProtocol])
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"endpoint": "localhost"}, "has no port"),
        ({"middlewares": [{"id": "memory_limiter"}]}, "use the processor memory_limiter"),
        ({"nonsense": 1}, "nonsense"),
        ({"auth": {}}, "authenticator"),
    ],
)
def test_refused_by_both(model: type[GrpcProtocol | HttpProtocol], config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.model_validate(config)


@pytest.mark.parametrize("model", [GrpcProtocol, HttpProtocol])
def test_an_empty_list_of_middlewares_asks_for_nothing(model: type[GrpcProtocol | HttpProtocol]) -> None:
    assert model.model_validate({"middlewares": []}).middlewares == ()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_recv_msg_size_mib": -1}, "max_recv_msg_size_mib"),
        ({"transport": "udp"}, "transport"),
        ({"keepalive": {"server_parameters": {"time": -1}}}, "time"),
    ],
)
def test_refused_by_grpc(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GrpcProtocol.model_validate(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"compression_algorithms": ["br"]}, 'unknown compression "br"; known are gzip'),
        ({"max_request_body_size": -1}, "max_request_body_size"),
        ({"read_timeout": -1}, "read_timeout"),
    ],
)
def test_refused_by_http(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HttpProtocol.model_validate(config)


def test_secrets_in_response_headers_do_not_show() -> None:
    http = HttpProtocol.model_validate({"response_headers": {"x-key": "secret"}})
    assert "secret" not in repr(http)
