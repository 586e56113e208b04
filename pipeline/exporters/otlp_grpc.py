"""The exporter `otlp_grpc`: OTLP over gRPC."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError

from pipeline.component import ClientAuthenticator, Exporter, Host
from pipeline.delivery import DeliveryConfig
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.exporters.otlp_answers import clip, details_in, error_of_status, log_partial_success
from pipeline.signals import Batch, Signal
from pipeline.transport.client_grpc import GrpcClient, open_channel
from pipeline.transport.client_settings import authenticator_of, headers_of, plain_headers

if TYPE_CHECKING:
    import grpc.aio

# opentelemetry/proto/collector/*/v1: the method of each signal.
_METHODS: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


class OtlpGrpcConfig(GrpcClient, DeliveryConfig):
    """Settings of the exporter `otlp_grpc`."""


class OtlpGrpcExporter(Exporter):
    """Sends traces, metrics and logs to an OTLP backend over gRPC.

    A batch that no processor changed goes out as the very bytes that came in.
    """

    type = "otlp_grpc"
    example = '{endpoint: "localhost:4317", tls: {insecure: true}}'
    aliases = ("otlp",)
    Config = OtlpGrpcConfig
    config: OtlpGrpcConfig

    def __init__(self, config: OtlpGrpcConfig, host: Host) -> None:
        """Keep the settings; the connection is made by the first request."""
        super().__init__(config, host)
        self._timeout_s = config.timeout or None
        self._wait_for_ready = config.wait_for_ready
        self._headers = plain_headers(config.headers)
        self._metadata = tuple(self._headers.items())
        self._authenticator: ClientAuthenticator | None = None
        self._channel: grpc.aio.Channel | None = None
        self._calls: dict[Signal, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}

    async def start(self) -> None:
        """Open the channel. Raises StartError for an unknown authenticator or a file that cannot be read."""
        import grpc.aio  # noqa: PLC0415 - heavy, and needed only where this exporter is built

        self._rpc_error: type[grpc.aio.AioRpcError] = grpc.aio.AioRpcError
        self._authenticator = authenticator_of(self.host, self.config.auth)
        self._open()
        if self.config.tls.reload_interval and self.config.is_secure:
            self.host.tasks.spawn(self._reload_certificates, "reload certificates")

    async def stop(self) -> None:
        """Close the channel."""
        await super().stop()
        if self._channel is not None:
            await self._channel.close(None)

    def _open(self) -> None:
        self._channel = open_channel(self.config, self._timeout_s)
        # Without (de)serialisers gRPC takes and gives bytes.
        self._calls = {signal: self._channel.unary_unary(method, None, None) for signal, method in _METHODS.items()}

    async def _reload_certificates(self) -> None:
        tls = self.config.tls
        loaded = tls.read_all()
        while True:
            await self.host.clock.sleep(tls.reload_interval)
            found = tls.read_all()
            if found == loaded:
                continue
            loaded, old = found, self._channel
            self._open()
            if old is not None:
                await old.close(self._timeout_s)

    async def export(self, batch: Batch) -> None:
        """Send one batch as one request."""
        metadata = self._metadata
        if self._authenticator is not None:
            metadata = tuple((await headers_of(self._authenticator, self._headers)).items())
        try:
            answer = await self._calls[batch.signal](
                batch.serialize(),
                timeout=self._timeout_s,
                metadata=metadata,
                wait_for_ready=self._wait_for_ready,
            )
        except self._rpc_error as error:
            raise _error_of(error) from None
        except asyncio.CancelledError:
            # gRPC raises the same for a call that the backend cancelled.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Refused("rpc error: code = CANCELLED", code=Code.CANCELLED) from None
        if answer:
            self._look_into(batch.signal, answer)

    def _look_into(self, signal: Signal, answer: bytes) -> None:
        try:
            response = signal.response_class.FromString(answer)
        except DecodeError:
            raise Rejected("the backend's answer is no OTLP response", code=Code.INTERNAL) from None
        log_partial_success(signal, response, self.host.log)


def _error_of(error: grpc.aio.AioRpcError) -> DeliveryError:
    number: Any = error.code().value[0]
    code = Code(number)
    metadata: Any = error.trailing_metadata()
    return error_of_status(code, f"rpc error: code = {code.name} desc = {clip(error.details())}", details_in(metadata))
