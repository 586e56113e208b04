"""The `otlp` receiver: one instance serves all signals of all its pipelines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pipeline.component import Host, Receiver, Stage
from pipeline.errors import StartError
from pipeline.receivers.otlp.admission import Admission
from pipeline.receivers.otlp.config import HttpProtocol, OtlpConfig, Protocols
from pipeline.signals import Signal

if TYPE_CHECKING:
    from pipeline.receivers.otlp.grpc_server import GrpcServer
    from pipeline.receivers.otlp.http_server import HttpServer

_HTTP_CHANGEABLE: Final = (
    "include_metadata",
    "cors",
    "max_request_body_size",
    "response_headers",
    "compression_algorithms",
    "keep_alives_enabled",
    "traces_url_path",
    "metrics_url_path",
    "logs_url_path",
)


class OtlpReceiver(Receiver):
    """Takes traces, metrics and logs over OTLP: gRPC, and HTTP with protobuf or JSON.

    A client is told that its data is accepted once every stage up to the next queue has done its work; with
    `acknowledge: delivered`, once the backends have it.
    """

    type = "otlp"
    example = '{protocols: {grpc: {endpoint: "localhost:4317"}, http: {endpoint: "localhost:4318"}}}'
    Config = OtlpConfig
    config: OtlpConfig

    def __init__(self, config: OtlpConfig, host: Host) -> None:
        """Prepare the servers of the configured protocols."""
        super().__init__(config, host)
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None
        delivered = config.acknowledge == "delivered"
        self._admissions = {
            transport: Admission(host, transport, delivered=delivered)
            for transport, protocol in (("grpc", config.protocols.grpc), ("http", config.protocols.http))
            if protocol is not None
        }
        self._make_servers()

    @classmethod
    def awaits_delivery(cls, config: OtlpConfig) -> str:
        """Clients that are told of the delivery, not of the admission."""
        return "acknowledge" if config.acknowledge == "delivered" else ""

    @classmethod
    def not_shared(cls, config: OtlpConfig) -> str:
        """TCP ports are shared, paths are not."""
        grpc = config.protocols.grpc
        return "workers cannot share a Unix socket; use tcp" if grpc is not None and grpc.transport == "unix" else ""

    def _make_servers(self) -> None:
        protocols = self.config.protocols
        if protocols.grpc is not None:
            from pipeline.receivers.otlp.grpc_server import GrpcServer  # noqa: PLC0415 - heavy libraries

            self._grpc = GrpcServer(protocols.grpc, self._admissions["grpc"])
        if protocols.http is not None:
            from pipeline.receivers.otlp.http_server import HttpServer  # noqa: PLC0415 - heavy libraries

            self._http = HttpServer(protocols.http, self._admissions["http"])

    @property
    def grpc_endpoint(self) -> str:
        """Where the gRPC server listens, with the actual port; empty when it does not run."""
        return "" if self._grpc is None else self._grpc.endpoint

    @property
    def http_endpoint(self) -> str:
        """Where the HTTP server listens, with the actual port; empty when it does not run."""
        return "" if self._http is None else self._http.endpoint

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Hand data to these stages from the next request on."""
        super().connect(next_stages)
        for admission in self._admissions.values():
            admission.connect(next_stages)

    async def start(self) -> None:
        """Listen. Raises StartError with the address that cannot be used."""
        try:
            if self._grpc is not None:
                await self._grpc.start()
                self.host.log.info("Starting GRPC server", endpoint=self._grpc.endpoint)
            if self._http is not None:
                await self._http.start()
                self.host.log.info("Starting HTTP server", endpoint=self._http.endpoint)
        except StartError as error:
            await self.stop()
            raise StartError(f'failed to start "{self.host.id}" receiver: {error}') from None

    async def reconfigure(self, config: OtlpConfig) -> bool:
        """Take over what does not concern sockets; False where a listener, or who may send, would change."""
        old, new = self.config.protocols, config.protocols
        if _sockets(old) != _sockets(new) or any(p is not None and p.auth is not None for p in (new.grpc, new.http)):
            return False
        for admission in self._admissions.values():
            admission.delivered = config.acknowledge == "delivered"
        if self._grpc is not None and new.grpc is not None:
            self._grpc.configure(new.grpc)
        if self._http is not None and new.http is not None:
            self._http.configure(new.http)
        self.config = config
        return True

    async def stop(self) -> None:
        """Take no more requests and finish those in flight."""
        await asyncio.gather(*(server.stop() for server in (self._grpc, self._http) if server is not None))
        await super().stop()


def _sockets(protocols: Protocols) -> list[object]:
    """What a listener is made from, protocol by protocol; the rest of the keys may change while it runs."""
    grpc, http = protocols.grpc, protocols.http
    return [
        None if grpc is None else grpc.model_copy(update={"include_metadata": False}),
        None if http is None else http.model_copy(update=_changeable(http)),
    ]


def _changeable(http: HttpProtocol) -> dict[str, object]:
    fresh = type(http)()
    return {name: getattr(fresh, name) for name in _HTTP_CHANGEABLE}
