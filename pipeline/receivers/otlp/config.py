"""Configuration of the `otlp` receiver (Collector v0.145: config/configgrpc, config/confighttp)."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config import ConfigModel, Duration, Secret, refused
from pipeline.config.server import ServerAuth, ServerTls
from pipeline.transport.compression import CODINGS, available
from pipeline.transport.listen import split_endpoint

MIB = 1 << 20
WORKERS_MAX_AGE_S: Final = 300.0
"""Age at which connections end where several workers share a port, unless the configuration says otherwise."""
NO_PROTOCOL = "must specify at least one protocol when using the OTLP receiver"


def _no_middlewares() -> Any:
    return refused(
        "there are no server middlewares; use the processor memory_limiter", accept=([], (), None), default=()
    )


class HttpServerAuth(ServerAuth):
    """As ServerAuth, for HTTP."""

    request_params: tuple[str, ...] = Field(
        (), description="Query parameters that the authenticator sees beside the headers."
    )


class KeepaliveParameters(ConfigModel):
    """When the server closes or probes connections (grpc-go, `keepalive.ServerParameters`)."""

    max_connection_idle: Duration = Field(0.0, ge=0, description="Close connections idle for so long; 0: never.")
    max_connection_age: Duration = Field(
        0.0, ge=0, description="Close connections of this age; 0: never. With several workers 5m unless it is set."
    )
    max_connection_age_grace: Duration = Field(0.0, ge=0, description="Time for calls on a closing one; 0: no end.")
    time: Duration = Field(0.0, ge=0, description="Ping a connection silent for so long; 0: after 2h.")
    timeout: Duration = Field(0.0, ge=0, description="Close when a ping is not answered for so long; 0: 20s.")


class KeepalivePolicy(ConfigModel):
    """What pings clients may send (grpc-go, `keepalive.EnforcementPolicy`)."""

    min_time: Duration = Field(0.0, ge=0, description="Least time between pings of a client; 0: 5m.")
    permit_without_stream: bool = Field(default=False, description="Allow pings without a call under way.")


class Keepalive(ConfigModel):
    """Keepalive of gRPC connections."""

    server_parameters: KeepaliveParameters | None = Field(None, description="Closing and probing.")
    enforcement_policy: KeepalivePolicy | None = Field(None, description="What clients may do.")


class _Server(ConfigModel):
    include_metadata: bool = Field(default=False, description="Keep client headers for processors and exporters.")
    middlewares: tuple[Any, ...] = _no_middlewares()

    @field_validator("endpoint", check_fields=False)
    @classmethod
    def _check_endpoint(cls, endpoint: str) -> str:
        if not endpoint.startswith("/"):
            split_endpoint(endpoint)
        return endpoint


class GrpcProtocol(_Server):
    """OTLP over gRPC."""

    endpoint: str = Field("localhost:4317", description="host:port, or the path of a socket for transport unix.")
    transport: Literal["tcp", "tcp4", "tcp6", "unix"] = Field("tcp", description="Kind of socket.")
    tls: ServerTls | None = Field(None, description="TLS; plaintext without it.")
    max_recv_msg_size_mib: int = Field(0, ge=0, description="Largest request in MiB, decompressed; 0: 4 MiB.")
    max_concurrent_streams: int = Field(0, ge=0, description="Calls at a time on one connection; 0: no limit.")
    read_buffer_size: int = Field(524288, ge=0, description="Bytes read from a socket at once; 0: 32 KiB.")
    write_buffer_size: int = Field(
        0, ge=0, description="Bytes waiting to be written before a client is read no more; 0: 64 KiB."
    )
    keepalive: Keepalive | None = Field(None, description="Keepalive of connections.")
    auth: ServerAuth | None = Field(None, description="Who checks senders.")

    @property
    def max_message_bytes(self) -> int:
        """Largest request after decompression."""
        return (self.max_recv_msg_size_mib or 4) * MIB


class Cors(ConfigModel):
    """Which web pages may send (otelcol confighttp, `CORSConfig`)."""

    allowed_origins: tuple[str, ...] = Field((), description="Origins allowed; `*` in one stands for any text.")
    allowed_headers: tuple[str, ...] = Field((), description="Request headers allowed beside the safe ones.")
    exposed_headers: tuple[str, ...] = Field((), description="Response headers that pages may read.")
    max_age: int = Field(0, ge=0, description="Seconds a browser may keep the answer; 0: its own choice.")


class HttpProtocol(_Server):
    """OTLP over HTTP: protobuf and JSON."""

    endpoint: str = Field("localhost:4318", description="host:port to listen on.")
    transport: Literal["tcp", "tcp4", "tcp6"] = Field("tcp", description="Kind of socket.")
    tls: ServerTls | None = Field(None, description="TLS; plaintext without it.")
    auth: HttpServerAuth | None = Field(None, description="Who checks senders.")
    cors: Cors | None = Field(None, description="Cross-origin requests of browsers; refused by them without it.")
    max_request_body_size: int = Field(
        0, ge=0, description="Largest body in bytes, both as sent and decompressed; 0: 20 MiB."
    )
    response_headers: dict[str, Secret] = Field(default_factory=dict, description="Headers on every response.")
    compression_algorithms: tuple[str, ...] = Field(
        ("", *(coding for coding in CODINGS)),
        description="Content-Encodings accepted; the empty one stands for bodies without any.",
    )
    read_timeout: Duration = Field(0.0, ge=0, description="Time to read a request, body included; 0: no limit.")
    read_header_timeout: Duration = Field(0.0, ge=0, description="Time to read a request's headers; 0: read_timeout.")
    write_timeout: Duration = Field(
        0.0, ge=0, description="Time from the headers read to the answer sent; 0: no limit."
    )
    idle_timeout: Duration = Field(0.0, ge=0, description="Close connections idle for so long; 0: read_timeout.")
    keep_alives_enabled: bool = Field(default=True, description="Serve many requests on one connection.")
    traces_url_path: str = Field("/v1/traces", description="Path of the traces endpoint.")
    metrics_url_path: str = Field("/v1/metrics", description="Path of the metrics endpoint.")
    logs_url_path: str = Field("/v1/logs", description="Path of the logs endpoint.")

    @property
    def max_body_bytes(self) -> int:
        """Largest body, as sent and decompressed."""
        return self.max_request_body_size or 20 * MIB

    @field_validator("traces_url_path", "metrics_url_path", "logs_url_path")
    @classmethod
    def _begin_with_slash(cls, path: str) -> str:
        return path if path.startswith("/") else f"/{path}"

    @field_validator("compression_algorithms")
    @classmethod
    def _check_codings(cls, codings: tuple[str, ...]) -> tuple[str, ...]:
        for coding in codings:
            if coding and coding not in CODINGS:
                raise ValueError(f'unknown compression "{coding}"; known are {", ".join(CODINGS)}')
            if coding and not available(coding):
                raise ValueError(f'compression "{coding}" needs a library: pip install "penstock[compression]"')
        return codings


class Protocols(ConfigModel):
    """The protocols to serve; one that is absent is off."""

    grpc: GrpcProtocol | None = Field(None, description="OTLP over gRPC.")
    http: HttpProtocol | None = Field(None, description="OTLP over HTTP.")


class OtlpConfig(ConfigModel):
    """Configuration of the `otlp` receiver."""

    protocols: Protocols = Field(default_factory=Protocols, description="What to serve: grpc, http or both.")
    acknowledge: Literal["accepted", "delivered"] = Field(
        "accepted",
        description="When a client gets its answer: once the data is admitted, or once backends have it.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.protocols.grpc is None and self.protocols.http is None:
            raise ValueError(NO_PROTOCOL)
        return self
