"""Configuration of the `prometheus` exporter."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config import Duration, InvalidKey, Secret, refused
from pipeline.config.server import PageAuth, ServerTls
from pipeline.delivery import SendingQueue
from pipeline.prometheus.settings import Translation
from pipeline.transport.listen import split_endpoint

_SCRAPES = "a scrape is a GET without body that is answered at once; remove the key"


class PrometheusConfig(Translation):
    """A page with the metrics that came in, at `http://<endpoint>/metrics`."""

    endpoint: str = Field(description="Address to listen on, `host:port`.")
    const_labels: dict[str, str] = Field({}, description="Labels of every series.")
    send_timestamps: bool = Field(False, description="Show the time of each series' last point.")
    metric_expiration: Duration = Field(300.0, description="A series not heard of for so long leaves the page.")
    enable_open_metrics: bool = Field(False, description="Offer OpenMetrics, the only format with exemplars.")
    tls: ServerTls | None = Field(None, description="Serve HTTPS.")
    auth: PageAuth | None = Field(None, description="Check who scrapes.")
    response_headers: dict[str, Secret] = Field({}, description="Headers added to every answer.")
    sending_queue: SendingQueue = Field(SendingQueue(enabled=False), description="Where batches wait; off.")
    cors: Any = refused("scrapers are no browsers; remove the key")
    transport: str = refused("the page is served over TCP; remove the key", accept=("", "tcp"), default="tcp")
    max_request_body_size: int = refused(_SCRAPES, accept=(0,), default=0)
    include_metadata: bool = refused(_SCRAPES, accept=(False,), default=False)
    compression_algorithms: Any = refused(_SCRAPES, accept=([], ()), default=())
    read_timeout: Duration = refused(_SCRAPES, accept=(0, "0s"), default=0.0)
    read_header_timeout: Duration = refused(_SCRAPES, accept=(0, "0s"), default=0.0)
    write_timeout: Duration = refused(_SCRAPES, accept=(0, "0s"), default=0.0)
    idle_timeout: Duration = refused(_SCRAPES, accept=(0, "0s"), default=0.0)
    keep_alives_enabled: bool = refused("connections are kept alive as the scraper asks", accept=(True,), default=True)
    middlewares: Any = refused("there are no server middlewares; remove the key", accept=([], ()), default=())

    @field_validator("endpoint")
    @classmethod
    def _has_port(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("expecting a non-blank address to run the Prometheus metrics handler")
        split_endpoint(value)
        return value

    @model_validator(mode="after")
    def _has_expiration(self) -> Self:
        if self.metric_expiration <= 0:
            raise InvalidKey("must be positive: series that expire at once never show", "metric_expiration")
        return self

    def fixed_headers(self) -> dict[str, str]:
        """Headers of every answer."""
        return {name: value.get_secret_value() for name, value in self.response_headers.items()}
