"""HTTP clients: the Collector's keys (Collector v0.145: config/confighttp) and the session they ask for."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, refused
from pipeline.config.text import without_password
from pipeline.transport.client_settings import ClientAuth, Headers, no_middlewares
from pipeline.transport.client_tls import ClientTls

if TYPE_CHECKING:
    import aiohttp

Coding = Literal["gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4", "none", ""]
UNCOMPRESSED: Final = ("none", "")
_LEVELS: Final = {"gzip": (1, 9), "zlib": (1, 9), "deflate": (1, 9), "zstd": (1, 22)}
_NO_HTTP2: Final = "requests go over HTTP/1.1; remove the key"
_BOUND: Final = "connections are as many as num_consumers at most, all of which may stay idle; remove the key"
_DEFAULT_READ_BUFFER_BYTES: Final = 64 * 1024


class CompressionParams(ConfigModel):
    """How hard to compress."""

    level: int = Field(0, description="1-9 for gzip, zlib and deflate, 1-22 for zstd; 0 or -1: a fast default.")


class Cookies(ConfigModel):
    """Cookies of the backend (load balancers use them to keep a client)."""

    null_is_absent: ClassVar[bool] = True

    enabled: bool = Field(True, description="Keep and send back cookies.")


class HttpClient(ConfigModel):
    """Base of the `Config` of components that are HTTP clients."""

    endpoint: str = Field("", description="URL of the backend.")
    proxy_url: str = Field("", description="Proxy; HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment else.")
    tls: ClientTls = Field(ClientTls(), description="TLS of https URLs.")
    read_buffer_size: int = Field(0, ge=0, description="Bytes read from the socket at a time; 0: 64 KiB.")
    write_buffer_size: int = refused(
        "a request is written in one piece; remove the key", accept=(0, 512 * 1024), default=512 * 1024
    )
    headers: Headers = Field({}, description="Headers of every request.")
    auth: ClientAuth | None = Field(None, description="The authenticator extension that proves who we are.")
    compression: Coding = Field("", description="gzip, zstd, snappy, x-snappy-framed, zlib, deflate, lz4 or none.")
    compression_params: CompressionParams = Field(CompressionParams(), description="How hard to compress.")
    max_idle_conns: int = refused(_BOUND, accept=(0, 100), default=100)
    max_idle_conns_per_host: int = refused(_BOUND, accept=(0,), default=0)
    max_conns_per_host: int = Field(0, ge=0, description="Most connections; 0: no limit.")
    idle_conn_timeout: Duration = Field(90.0, ge=0, description="An idle connection is closed after this time.")
    disable_keep_alives: bool = Field(False, description="One connection for each request.")
    http2_read_idle_timeout: Duration = refused(_NO_HTTP2, accept=(0, 0.0), default=0.0)
    http2_ping_timeout: Duration = refused(_NO_HTTP2, accept=(0, 0.0), default=0.0)
    force_attempt_http2: bool = refused(_NO_HTTP2, accept=(False,), default=False)
    cookies: Cookies | None = Field(None, description="Keep cookies; off unless given.")
    middlewares: tuple[Any, ...] = no_middlewares()

    @model_validator(mode="after")
    def _check_client(self) -> Self:
        for key in ("endpoint", "proxy_url"):
            if getattr(self, key):
                check_url(getattr(self, key), key)
        level = self.compression_params.level
        least, most = _LEVELS.get(self.compression, (0, 0))
        if level not in (0, -1) and not (least and least <= level <= most):
            raise InvalidKey(
                f'unsupported level {level} for compression "{self.compression}"', "compression_params", "level"
            )
        return self

    @property
    def compression_level(self) -> int | None:
        """The level asked for; None: the coding's default."""
        return self.compression_params.level if self.compression_params.level > 0 else None


def check_url(url: str, key: str) -> None:
    """Raise InvalidKey for what is no http(s) URL."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidKey(f'invalid URL "{without_password(url)}": write http:// or https://, then the host', key)


def open_session(config: HttpClient) -> aiohttp.ClientSession:
    """A session for one backend: pooled connections, no limit of time of its own."""
    import aiohttp  # noqa: PLC0415 - heavy, and needed only where an HTTP client is built

    keep_alive: dict[str, Any] = {"force_close": True}
    if not config.disable_keep_alives:
        keep_alive = {"keepalive_timeout": config.idle_conn_timeout or 1e9}
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=config.max_conns_per_host, **keep_alive)
    keeps_cookies = config.cookies is not None and config.cookies.enabled
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.CookieJar(unsafe=True) if keeps_cookies else aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=True,
        read_bufsize=config.read_buffer_size or _DEFAULT_READ_BUFFER_BYTES,
    )


def proxy_for(config: HttpClient, url: str) -> str | None:
    """The proxy for a URL: the configured one, else what the environment says, as Go's http.ProxyFromEnvironment."""
    if config.proxy_url:
        return config.proxy_url
    parts = urlsplit(url)
    if not parts.hostname or parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return None
    if urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)
