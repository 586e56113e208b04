"""The Collector's keys of gRPC clients (Collector v0.145: config/configgrpc)."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, refused
from pipeline.transport.client_settings import ClientAuth, Headers, no_middlewares
from pipeline.transport.client_tls import ClientTls

_UNIX: Final = re.compile(r"^unix:(//)?")
# Go's schemes for names (github.com/grpc/grpc/blob/master/doc/naming.md), and those that choose TLS.
_SCHEME: Final = re.compile(r"^(https?://|dns:(///)?|passthrough:///)")

# Names in `grpc-encoding` and the codings behind them; Go's snappy for gRPC is the framed format.
CODINGS: Final = {"gzip": "gzip", "zstd": "zstd", "snappy": "x-snappy-framed"}


class KeepaliveClient(ConfigModel):
    """Pings that find dead connections."""

    time: Duration = Field(0.0, ge=0, description="Ping after so long a silence, 10s at least; 0: never.")
    timeout: Duration = Field(0.0, ge=0, description="Close when a ping is not answered in this time; 0: 20s.")
    permit_without_stream: bool = Field(False, description="Ping also while no request is under way.")


class GrpcClient(ConfigModel):
    """Base of the `Config` of components that are gRPC clients."""

    endpoint: str = Field(description="host:port, dns:///name:port or unix:///path; http:// and https:// choose TLS.")
    compression: Literal["gzip", "snappy", "zstd", "none", ""] = Field(
        "gzip", description="gzip, snappy, zstd or none."
    )
    tls: ClientTls = Field(ClientTls(), description="TLS; on unless `insecure` or the endpoint says otherwise.")
    keepalive: KeepaliveClient | None = Field(None, description="Pings; none unless given.")
    read_buffer_size: int = refused("the event loop chooses; remove the key", accept=(0,), default=0)
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.endpoint:
            raise InvalidKey('requires a non-empty "endpoint"', "endpoint")
        if self.unix_path is None and not re.fullmatch(r"(\[.+\]|[^:/]*):\d{1,5}", self.target):
            raise InvalidKey(f'invalid endpoint "{self.endpoint}": expected host:port', "endpoint")
        return self

    @property
    def target(self) -> str:
        """host:port of the backend."""
        return _SCHEME.sub("", self.endpoint).rstrip("/")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the backend."""
        host, _, port = self.target.rpartition(":")
        return host.strip("[]") or "localhost", int(port)

    @property
    def unix_path(self) -> str | None:
        """Path of the socket, for an endpoint that is one."""
        return _UNIX.sub("", self.endpoint) if _UNIX.match(self.endpoint) else None

    @property
    def coding(self) -> str | None:
        """Value of `grpc-encoding`; None: not compressed."""
        return self.compression if self.compression in CODINGS else None

    @property
    def is_secure(self) -> bool:
        """Whether the connection uses TLS: the endpoint's scheme decides before `tls.insecure`."""
        if self.endpoint.startswith("https://"):
            return True
        return not (self.tls.insecure or self.endpoint.startswith("http://"))
