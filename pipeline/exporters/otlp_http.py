"""The exporter `otlp_http`: OTLP over HTTP, protobuf or JSON."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.component import Exporter, Host
from pipeline.config import Duration, InvalidKey, refused
from pipeline.delivery import DeliveryConfig
from pipeline.errors import Rejected
from pipeline.exporters.http_answers import JSON, PROTOBUF, check_success, error_of_answer
from pipeline.exporters.http_backend import HttpBackend
from pipeline.signals import Batch, Signal
from pipeline.signals.otlp_json import encode
from pipeline.transport.client_http import UNCOMPRESSED, Coding, HttpClient, check_url


class OtlpHttpConfig(HttpClient, DeliveryConfig):
    """Settings of the exporter `otlp_http`."""

    timeout: Duration = Field(30.0, ge=0, description="Limit of one attempt; 0: none.")
    compression: Coding = Field("gzip", description="gzip, zstd, snappy, x-snappy-framed, zlib, deflate, lz4 or none.")
    encoding: Literal["proto", "json"] = Field("proto", description="Encoding of the requests.")
    traces_endpoint: str = Field("", description="URL for traces, instead of `endpoint` + /v1/traces.")
    metrics_endpoint: str = Field("", description="URL for metrics, instead of `endpoint` + /v1/metrics.")
    logs_endpoint: str = Field("", description="URL for logs, instead of `endpoint` + /v1/logs.")
    profiles_endpoint: str = refused("profiles are not supported; remove the key", accept=("",), default="")

    @model_validator(mode="after")
    def _check(self) -> Self:
        own = [f"{signal}_endpoint" for signal in Signal if getattr(self, f"{signal}_endpoint")]
        for key in own:
            check_url(getattr(self, key), key)
        if not self.endpoint and not own:
            raise InvalidKey("at least one endpoint must be specified", "endpoint")
        return self

    def url_of(self, signal: Signal) -> str:
        """Where requests of a signal go; empty where no endpoint is given for it."""
        own: str = getattr(self, f"{signal}_endpoint")
        return own or (f"{self.endpoint.rstrip('/')}/v1/{signal}" if self.endpoint else "")


class OtlpHttpExporter(Exporter):
    """Sends traces, metrics and logs to an OTLP backend over HTTP, as protobuf or JSON.

    With protobuf, a batch that no processor changed goes out as the very bytes that came in.
    """

    type = "otlp_http"
    example = '{endpoint: "http://localhost:4318"}'
    aliases = ("otlphttp",)
    Config = OtlpHttpConfig
    config: OtlpHttpConfig

    def __init__(self, config: OtlpHttpConfig, host: Host) -> None:
        """Keep the settings; connections are made by requests."""
        super().__init__(config, host)
        coding = "" if config.compression in UNCOMPRESSED else config.compression
        content_type = JSON if config.encoding == "json" else PROTOBUF
        self._backend = HttpBackend(config, host, coding, {"content-type": content_type})
        self._urls = {signal: url for signal in Signal if (url := config.url_of(signal))}

    async def start(self) -> None:
        """Open the session. Raises StartError for an unknown authenticator, a bad file, or a missing library."""
        await self._backend.start(self._urls.values())

    async def stop(self) -> None:
        """Close the connections."""
        await super().stop()
        await self._backend.stop()

    async def export(self, batch: Batch) -> None:
        """Send one batch as one request."""
        if batch.signal not in self._urls:
            raise Rejected(f"no URL for {batch.signal}; set endpoint or {batch.signal}_endpoint")
        body = encode(batch.message) if self.config.encoding == "json" else batch.serialize()
        answer = await self._backend.post(self._urls[batch.signal], body)
        if 200 <= answer.status < 300:
            check_success(batch.signal, answer.content_type, answer.body, self.host.log)
        else:
            raise error_of_answer(answer.status, answer.headers, answer.body, self.host.clock)
