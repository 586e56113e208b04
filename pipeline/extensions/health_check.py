"""The `health_check` extension: a page that says whether data can flow."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import Field, field_validator

from pipeline.component import Extension, Host
from pipeline.config import ConfigModel, Duration, format_duration, refused
from pipeline.config.server import PageAuth, ServerTls
from pipeline.errors import StartError
from pipeline.transport.admin import Authenticate, authenticate_of, refusal_of
from pipeline.transport.listen import bind, bound_endpoint, resolve, split_endpoint
from pipeline.transport.server_tls import port_context

if TYPE_CHECKING:
    from aiohttp import web

_V2: Final = "version 2 of the health page is not available; remove the key and use endpoint and path"
_PAGE: Final = "the page is a small answer to a GET, sent at once; remove the key"
_GRACE_S: Final = 1.0


class ResponseBody(ConfigModel):
    """What the page says, in place of the default JSON."""

    healthy: str = Field("", description="Body when data can flow; empty: JSON with status and uptime.")
    unhealthy: str = Field("", description="Body when it cannot; empty: JSON.")


class HealthCheckConfig(ConfigModel):
    """Configuration of `health_check`."""

    endpoint: str = Field("localhost:13133", description="host:port to listen on.")
    path: str = Field("/", description="Path of the page; / answers every path.")
    response_body: ResponseBody | None = Field(None, description="Texts in place of the default JSON.")
    tls: ServerTls | None = Field(None, description="TLS; plaintext without it.")
    auth: PageAuth | None = Field(None, description="Who checks those that ask; kubelets send no credentials.")
    use_v2: bool = refused(_V2, accept=(False,), default=False)
    component_health: dict[str, object] | None = refused(_V2)
    http: dict[str, object] | None = refused(_V2)
    grpc: dict[str, object] | None = refused(_V2)
    check_collector_pipeline: dict[str, object] | None = refused(
        "the Collector does not check this any more either; remove the key", while_off=True
    )
    transport: str = refused("the page is served over TCP; remove the key", accept=("", "tcp"), default="tcp")
    cors: dict[str, object] | None = refused(_PAGE)
    max_request_body_size: int = refused(_PAGE, accept=(0,), default=0)
    include_metadata: bool = refused(_PAGE, accept=(False,), default=False)
    response_headers: Any = refused(_PAGE, accept=({}, []))
    compression_algorithms: Any = refused(_PAGE, accept=([], ()), default=())
    read_timeout: Duration = refused(_PAGE, accept=(0, "0s"), default=0.0)
    read_header_timeout: Duration = refused(_PAGE, accept=(0, "0s"), default=0.0)
    write_timeout: Duration = refused(_PAGE, accept=(0, "0s"), default=0.0)
    idle_timeout: Duration = refused(_PAGE, accept=(0, "0s"), default=0.0)
    keep_alives_enabled: bool = refused(_PAGE, accept=(True,), default=True)
    middlewares: Any = refused(_PAGE, accept=([], ()), default=())

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, endpoint: str) -> str:
        split_endpoint(endpoint)
        return endpoint


class HealthCheck(Extension):
    """Answers 200 while every receiver runs and 503 before and after, for load balancers and orchestrators."""

    type = "health_check"
    example = '{endpoint: "localhost:13133"}'
    listens = True
    Config = HealthCheckConfig
    config: HealthCheckConfig

    def __init__(self, config: HealthCheckConfig, host: Host) -> None:
        """Start as not available."""
        super().__init__(config, host)
        self.endpoint = ""
        self._up_since_ns: int | None = None
        self._authenticate: Authenticate | None = None
        self._server: asyncio.Server | None = None
        self._connections: web.Server | None = None

    async def start(self) -> None:
        """Listen. Raises StartError."""
        from pipeline.transport.http_connection import PageServer  # noqa: PLC0415 - loads aiohttp

        try:
            tls = port_context(self.config.tls, self.host, self.config.endpoint)
            self._authenticate = authenticate_of(self.host, self.config.auth)
            listener = bind(resolve(self.config.endpoint))
        except StartError as error:
            raise StartError(f'failed to start "{self.host.id}" extension: {error}') from None
        self.endpoint = bound_endpoint(listener)
        self._connections = PageServer(self._answer)
        self._server = await asyncio.get_running_loop().create_server(self._connections, sock=listener, ssl=tls)
        self.host.log.info("Starting health_check extension", endpoint=self.endpoint)

    async def stop(self) -> None:
        """Close the port."""
        if self._server is not None and self._connections is not None:
            self._server.close()
            await self._connections.shutdown(_GRACE_S)
        await super().stop()

    def pipelines_ready(self) -> None:
        """Say from now on that data can flow."""
        if self._up_since_ns is None:
            self._up_since_ns = self.host.clock.time_ns()

    def pipelines_not_ready(self) -> None:
        """Say from now on that it cannot."""
        self._up_since_ns = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web  # noqa: PLC0415 - loaded by `start`

        refusal = None if self._authenticate is None else await refusal_of(request, self._authenticate)
        if refusal is not None:
            return web.Response(status=refusal[0], text=refusal[1])
        if self.config.path not in ("/", request.path):
            return web.Response(status=404, text="404 page not found\n")
        status = 503 if self._up_since_ns is None else 200
        texts = self.config.response_body or ResponseBody()
        text = texts.unhealthy if self._up_since_ns is None else texts.healthy
        if text:
            return web.Response(status=status, text=text)
        return web.Response(status=status, body=orjson.dumps(self._state()), content_type="application/json")

    def _state(self) -> dict[str, Any]:
        since_ns = self._up_since_ns
        if since_ns is None:
            # Go's zero time, as the Collector writes it.
            return {"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""}
        since = datetime.fromtimestamp(since_ns / 1e9, UTC).isoformat().replace("+00:00", "Z")
        uptime = format_duration((self.host.clock.time_ns() - since_ns) / 1e9)
        return {"status": "Server available", "upSince": since, "uptime": uptime}
