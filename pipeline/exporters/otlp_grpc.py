"""The exporter `otlp_grpc`: OTLP over gRPC."""

from __future__ import annotations

from functools import partial
from typing import Final

from google.protobuf.message import DecodeError

from pipeline.component import ClientAuthenticator, Exporter, Host
from pipeline.delivery import DeliveryConfig
from pipeline.errors import Code, Rejected, StartError
from pipeline.exporters.otlp_answers import clip, error_of_status, log_partial_success
from pipeline.signals import Batch, Signal
from pipeline.transport.client_grpc import CODINGS, GrpcClient
from pipeline.transport.client_reload import ClientCertificates
from pipeline.transport.client_settings import authenticator_of, headers_of, plain_headers
from pipeline.transport.compression import available
from pipeline.transport.grpc_channel import GrpcChannel, RpcError

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
    aliases = ("otlp",)
    Config = OtlpGrpcConfig
    example = '{endpoint: "localhost:4317", tls: {insecure: true}}'
    config: OtlpGrpcConfig

    def __init__(self, config: OtlpGrpcConfig, host: Host) -> None:
        """Keep the settings; the connection is made by the first request."""
        super().__init__(config, host)
        self._headers = plain_headers(config.headers)
        self._authenticator: ClientAuthenticator | None = None
        self._channel: GrpcChannel | None = None

    async def start(self) -> None:
        """Prepare. Raises StartError for an unknown authenticator, a file that cannot be read, a missing library."""
        config = self.config
        if config.coding is not None and not available(CODINGS[config.coding]):
            raise StartError(
                f'{self.host.id}: compression "{config.coding}" needs a library: pip install "penstock[compression]"'
            )
        self._authenticator = authenticator_of(self.host, config.auth)
        self._channel = GrpcChannel(config, self.host.tasks, timeout_s=config.timeout or None)
        if config.is_secure:
            certificates = ClientCertificates(config.tls, self.host)
            watch = partial(certificates.watch, self._channel.reload_certificates)
            self.host.tasks.spawn(watch, "reload certificates")

    async def stop(self) -> None:
        """Close the connections."""
        await super().stop()
        if self._channel is not None:
            self._channel.close()

    async def export(self, batch: Batch) -> None:
        """Send one batch as one request."""
        assert self._channel is not None, "export before start"  # noqa: S101 - for the type checker
        metadata = await headers_of(self._authenticator, self._headers)
        try:
            answer = await self._channel.call(_METHODS[batch.signal], batch.serialize(), metadata)
        except RpcError as error:
            message = f"rpc error: code = {error.code.name}" + (f" desc = {clip(str(error))}" if str(error) else "")
            raise error_of_status(error.code, message, error.details, error.said) from None
        if answer:
            self._look_into(batch.signal, answer)

    def _look_into(self, signal: Signal, answer: bytes) -> None:
        try:
            response = signal.response_class.FromString(answer)
        except DecodeError:
            raise Rejected("the backend's answer is no OTLP response", code=Code.INTERNAL) from None
        log_partial_success(signal, response, self.host.log)
