"""gRPC clients: the Collector's keys (otelcol.md, 2.2) and the channel they ask for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey
from pipeline.transport.client_settings import ClientAuth, Headers, no_middlewares
from pipeline.transport.client_tls import ClientTls, grpc_credentials

if TYPE_CHECKING:
    import grpc.aio

# Schemes of gRPC's name syntax whose targets have no port.
_PORTLESS: Final = ("unix:", "unix-abstract:", "vsock:")
# A channel that found its backend away tries again this soon: gRPC's own limit of two minutes would outlast a drain.
_RECONNECT_MS: Final = {"grpc.initial_reconnect_backoff_ms": 500, "grpc.max_reconnect_backoff_ms": 5000}


class KeepaliveClient(ConfigModel):
    """Pings that find dead connections."""

    time: Duration = Field(0.0, ge=0, description="Ping after this time without activity; 0: gRPC's default.")
    timeout: Duration = Field(0.0, ge=0, description="Close when a ping is not answered in this time; 0: default.")
    permit_without_stream: bool = Field(False, description="Ping also while no request is under way.")


class GrpcClient(ConfigModel):
    """Base of the `Config` of components that are gRPC clients."""

    endpoint: str = Field(description="host:port, dns:///name:port or unix:///path; http:// and https:// choose TLS.")
    compression: Literal["gzip", "none", "", "snappy", "zstd"] = Field("gzip", description="gzip or none.")
    tls: ClientTls = Field(ClientTls(), description="TLS; on unless `insecure` or the endpoint says otherwise.")
    keepalive: KeepaliveClient | None = Field(None, description="Pings; none unless given.")
    read_buffer_size: int = Field(0, ge=0, description="Bytes read from the socket at a time; 0: gRPC's default.")
    write_buffer_size: int = Field(512 * 1024, ge=0, description="Bytes that may wait to be written.")
    wait_for_ready: bool = Field(False, description="Wait for a connection instead of failing without one.")
    headers: Headers = Field({}, description="Metadata of every request.")
    user_agent: str = Field("", description="First part of the user agent.")
    authority: str = Field("", description="The :authority header, instead of the endpoint's.")
    balancer_name: Literal["round_robin", "pick_first", ""] = Field(
        "round_robin", description="How requests are spread over the addresses of the endpoint."
    )
    auth: ClientAuth | None = Field(None, description="The authenticator extension that proves who we are.")
    middlewares: tuple[Any, ...] = no_middlewares()

    uncompressed: ClassVar[tuple[str, ...]] = ("none", "")

    @field_validator("compression")
    @classmethod
    def _only_gzip(cls, value: str) -> str:
        if value in ("snappy", "zstd"):
            raise ValueError(
                f"not supported: grpcio compresses with gzip only, not {value}; use gzip or none here, or otlp_http"
            )
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.endpoint:
            raise InvalidKey('requires a non-empty "endpoint"', "endpoint")
        if not self.endpoint.startswith(_PORTLESS) and not re.search(r":\d+$", self.target):
            raise InvalidKey(f'invalid endpoint "{self.endpoint}": expected host:port', "endpoint")
        if self.is_secure:
            self._check_tls()
        return self

    def _check_tls(self) -> None:
        if self.tls.insecure_skip_verify:
            raise InvalidKey(
                "not supported: gRPC's C library always verifies; trust the backend's certificate with ca_file, and "
                "its name with server_name_override",
                "tls", "insecure_skip_verify",
            )  # fmt: skip
        for key, taken in (("min_version", ("", "1.2")), ("max_version", ("", "1.3"))):
            if getattr(self.tls, key) not in taken:
                raise InvalidKey("not supported: gRPC's C library uses TLS 1.2 and 1.3; remove the key", "tls", key)

    @property
    def target(self) -> str:
        """The endpoint as gRPC's name syntax has it."""
        return re.sub(r"^(https?://|passthrough:///)", "", self.endpoint).rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether the connection uses TLS: the endpoint's scheme decides before `tls.insecure`."""
        if self.endpoint.startswith("https://"):
            return True
        return not (self.tls.insecure or self.endpoint.startswith("http://"))


def open_channel(config: GrpcClient, connect_timeout_s: float | None) -> grpc.aio.Channel:
    """A channel that connects when first used.

    Args:
        config: the keys of the client.
        connect_timeout_s: when to give a connection up that does not come about; None: gRPC's default of 20 s.

    Raises:
        StartError: a file that cannot be read.
    """
    import grpc.aio  # noqa: PLC0415 - heavy, and needed only where a gRPC client is built

    off = config.compression in config.uncompressed
    compression = grpc.Compression.NoCompression if off else grpc.Compression.Gzip
    wanted = _options(config)
    if connect_timeout_s is not None:
        # The name misleads: it is the least time that gRPC's core gives an attempt to connect.
        wanted["grpc.min_reconnect_backoff_ms"] = max(1, round(connect_timeout_s * 1000))
    options = list(wanted.items())
    if not config.is_secure:
        return grpc.aio.insecure_channel(config.target, options=options, compression=compression)
    credentials = grpc_credentials(config.tls)
    return grpc.aio.secure_channel(config.target, credentials, options=options, compression=compression)


def _options(config: GrpcClient) -> dict[str, str | int]:
    options: dict[str, str | int] = {
        **_RECONNECT_MS,
        "grpc.max_send_message_length": -1,
        # The delivery stage retries, and each exporter has its own connections, as in the Collector.
        "grpc.enable_retries": 0,
        "grpc.use_local_subchannel_pool": 1,
        "grpc.service_config_disable_resolution": 1,
    }
    named: dict[str, str | int] = {
        "grpc.lb_policy_name": config.balancer_name,
        "grpc.default_authority": config.authority,
        "grpc.ssl_target_name_override": config.tls.server_name_override,
        "grpc.primary_user_agent": config.user_agent,
        "grpc.experimental.tcp_read_chunk_size": config.read_buffer_size,
        "grpc.http2.write_buffer_size": config.write_buffer_size,
    }
    options.update({name: value for name, value in named.items() if value})
    if config.keepalive is not None:
        options.update(_keepalive(config.keepalive))
    return options


def _keepalive(keepalive: KeepaliveClient) -> dict[str, int]:
    options = {
        "grpc.keepalive_permit_without_calls": int(keepalive.permit_without_stream),
        "grpc.http2.max_pings_without_data": 0,
    }
    if keepalive.time:
        # Ten seconds is the least that gRPC allows a client (gRFC A8); the Collector raises smaller values too.
        options["grpc.keepalive_time_ms"] = max(10_000, round(keepalive.time * 1000))
    if keepalive.timeout:
        options["grpc.keepalive_timeout_ms"] = round(keepalive.timeout * 1000)
    return options
