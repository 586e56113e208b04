"""OTLP over gRPC: raw bytes in, raw bytes out."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pipeline.errors import Code, DeliveryError, Rejected, StartError, Unauthenticated
from pipeline.receivers.otlp.admission import Admission, Gate
from pipeline.receivers.otlp.answers import OK_PROTOBUF, status_of
from pipeline.signals import Context, Signal
from pipeline.signals.intake import parse
from pipeline.transport.listen import Address, bind, resolve
from pipeline.transport.server_tls import grpc_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import grpc

    from pipeline.receivers.otlp.config import GrpcProtocol, Keepalive

    Call = grpc.aio.ServicerContext[bytes, bytes]

_SERVICES: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": Signal.METRICS,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
}
_GRACE_S: Final = 5.0
"""How long calls in flight may take when the server stops."""
_MAX_METADATA_BYTES: Final = 1 << 16
"""Largest metadata of a call; the core's own limit is too small for some tokens."""
_STATUS_KEY: Final = "grpc-status-details-bin"


def channel_options(config: GrpcProtocol) -> list[tuple[str, int]]:
    """The configuration in the words of gRPC's core (grpc/impl/channel_arg_names.h)."""
    options = [
        ("grpc.so_reuseport", 0),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_concurrent_streams", config.max_concurrent_streams),
        ("grpc.experimental.tcp_read_chunk_size", config.read_buffer_size),
        ("grpc.http2.write_buffer_size", config.write_buffer_size),
        *_keepalive_options(config.keepalive),
    ]
    return [(name, value) for name, value in options if value or name == "grpc.so_reuseport"]


def _keepalive_options(keepalive: Keepalive | None) -> list[tuple[str, int]]:
    options: list[tuple[str, int]] = []
    if keepalive is not None and (parameters := keepalive.server_parameters) is not None:
        options += [
            ("grpc.max_connection_idle_ms", _ms(parameters.max_connection_idle)),
            ("grpc.max_connection_age_ms", _ms(parameters.max_connection_age)),
            ("grpc.max_connection_age_grace_ms", _ms(parameters.max_connection_age_grace)),
            ("grpc.keepalive_time_ms", _ms(parameters.time)),
            ("grpc.keepalive_timeout_ms", _ms(parameters.timeout)),
        ]
    if keepalive is not None and (policy := keepalive.enforcement_policy) is not None:
        options += [
            ("grpc.http2.min_recv_ping_interval_without_data_ms", _ms(policy.min_time)),
            ("grpc.keepalive_permit_without_calls", int(policy.permit_without_stream)),
        ]
    return options


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class GrpcServer:
    """Serves the export methods of the signals in use.

    Attributes:
        endpoint: where it listens, with the port that the system chose for port 0.
    """

    def __init__(self, config: GrpcProtocol, admission: Admission) -> None:
        """Prepare; `start` opens the port."""
        self.config = config
        self.endpoint = ""
        self._admission = admission
        self._gate: Gate
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises StartError."""
        import grpc  # noqa: PLC0415 - heavy, and needed only by a running server

        self.configure(self.config)
        self._status_codes = {Code(status.value[0]): status for status in grpc.StatusCode}
        self._methods = {signal: grpc.unary_unary_rpc_method_handler(self._exporter(signal)) for signal in Signal}
        server = grpc.aio.server(options=channel_options(self.config))
        server.add_generic_rpc_handlers((self,))  # type: ignore[arg-type]  # it is only asked for `service`
        self.endpoint = self._open_port(server)
        self._server = server
        await server.start()

    def configure(self, config: GrpcProtocol) -> None:
        """Take over what does not concern the socket. Raises StartError."""
        authenticator = config.auth.authenticator if config.auth is not None else None
        self._gate = Gate(self._admission, authenticator, include_metadata=config.include_metadata)
        self.config = config

    def _open_port(self, server: grpc.aio.Server) -> str:
        config = self.config
        if config.transport == "unix":
            self._add_port(server, f"unix:{config.endpoint}")
            return config.endpoint
        address = resolve(config.endpoint, config.transport)
        # gRPC's core does not say why it cannot bind, so a socket of ours asks first.
        bind(address).close()
        port = self._add_port(server, str(address))
        return str(Address(address.host, port, address.family))

    def _add_port(self, server: grpc.aio.Server, address: str) -> int:
        tls = self.config.tls
        try:
            if tls is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, grpc_credentials(tls))
        except RuntimeError:
            raise StartError(f"listen {address.removeprefix('unix:')}: gRPC could not bind") from None

    async def stop(self) -> None:
        """Take no more calls, let those in flight finish, at most for some seconds."""
        if self._server is not None:
            await self._server.stop(_GRACE_S)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """What serves a method path; gRPC asks it for every call."""
        service, _, method = details.method.removeprefix("/").rpartition("/")
        signal = _SERVICES.get(service)
        if signal is None or signal not in self._admission.stages:
            return self._unknown(f"unknown service {service}")
        if method != "Export":
            return self._unknown(f"unknown method {method} for service {service}")
        return self._methods[signal]

    def _exporter(self, signal: Signal) -> Callable[[bytes, Call], Awaitable[bytes]]:
        async def export(raw: bytes, call: Call) -> bytes:
            return await self.export(signal, raw, call)

        return export

    def _unknown(self, message: str) -> grpc.RpcMethodHandler[bytes, bytes]:
        import grpc  # noqa: PLC0415 - loaded by `start`

        async def refuse(_: bytes, call: Call) -> bytes:
            self._admission.turned_away("unknown_method")
            return await self._fail(call, Rejected(message, code=Code.UNIMPLEMENTED))

        return grpc.unary_unary_rpc_method_handler(refuse)

    async def export(self, signal: Signal, raw: bytes, call: Call) -> bytes:
        """One export call."""
        admission = self._admission
        gate = self._gate
        try:
            context = await self._context(call) if gate.reads_headers else gate.plain(_host(call.peer()))
            batch = parse(signal, raw, context, on_repair=admission.on_repair)
        except DeliveryError as error:
            admission.turned_away("unauthenticated" if isinstance(error, Unauthenticated) else "malformed")
            return await self._fail(call, error)
        except Exception as error:  # noqa: BLE001 - a bug must cost one request only
            return await self._fail(call, admission.unexpected(error))
        if batch.count:
            # A task of its own: a client that goes away ends its call, and must not leave work half done.
            work = admission.host.tasks.start(admission.admit(batch), "export")
            try:
                await asyncio.shield(work)
            except DeliveryError as error:
                return await self._fail(call, error)
        return OK_PROTOBUF

    async def _context(self, call: Call) -> Context:
        headers: dict[str, tuple[str, ...]] = {}
        for key, value in call.invocation_metadata() or ():
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            headers[key] = (*headers.get(key, ()), text)
        return await self._gate.context(_host(call.peer()), headers)

    async def _fail(self, call: Call, error: DeliveryError) -> bytes:
        status = status_of(error)
        trailers = ((_STATUS_KEY, status.SerializeToString()),) if status.details else ()
        await call.abort(self._status_codes[Code(status.code)], status.message, trailers)
        raise AssertionError("abort always raises")


@lru_cache(maxsize=1024)
def _host(peer: str) -> str:
    """The IP address in gRPC's name of a peer, `ipv4:127.0.0.1:5`, `ipv6:%5B::1%5D:5`; a unix peer has none."""
    kind, _, address = peer.partition(":")
    return unquote(address.rpartition(":")[0]).strip("[]") if kind.startswith("ip") else ""
