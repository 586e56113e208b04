"""The `service` section: what runs, and what Penstock says about itself (otelcol `service`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.durations import Duration
from pipeline.config.ids import ComponentId
from pipeline.config.model import ConfigModel, InvalidKey, refused
from pipeline.config.server import PageAuth, ServerTls
from pipeline.config.types import ANY_CASE, Secret

TelemetryLevel = Annotated[Literal["none", "basic", "normal", "detailed"], ANY_CASE]
LogLevel = Annotated[Literal["debug", "info", "warn", "error"], ANY_CASE]


class PipelineConfig(ConfigModel):
    """One pipeline: where data comes from, what happens to it, where it goes."""

    receivers: tuple[ComponentId, ...] = Field((), description="Ids of receivers, or of connectors that feed it.")
    processors: tuple[ComponentId, ...] = Field((), description="Ids of processors, in the order they run.")
    exporters: tuple[ComponentId, ...] = Field((), description="Ids of exporters, or of connectors that it feeds.")


class LogSampling(ConfigModel):
    """Limit on repeated lines of Penstock's own log: of one message, the first ones, then every n-th, per tick."""

    enabled: bool = Field(True, description="Whether repeated messages are limited.")
    tick: Duration = Field(10.0, description="Length of one period.")
    initial: int = Field(10, ge=0, description="Lines of one message that pass in each period.")
    thereafter: int = Field(100, ge=0, description="After these, every n-th line passes; 0 lets none pass.")


class OtlpPush(ConfigModel):
    """Where own telemetry is pushed over OTLP (declarative configuration's `otlp` exporter)."""

    protocol: Literal["grpc", "http/protobuf"] = Field("http/protobuf", description="Wire protocol.")
    endpoint: str = Field(description="Address, e.g. `http://localhost:4318`.")
    insecure: bool | None = Field(None, description="gRPC without TLS.")
    headers: dict[str, Secret] = Field({}, description="Headers of every request.")
    timeout: int = Field(10_000, ge=0, description="Time for one export, milliseconds; 0 waits for ever.")
    compression: Literal["gzip", "none"] = Field("none", description="Compression of requests.")
    certificate: str | None = Field(None, description="File of the certificate authorities to trust, PEM.")
    client_certificate: str | None = Field(None, description="File of the client certificate, PEM.")
    client_key: str | None = Field(None, description="File of the client key, PEM.")
    temporality_preference: Literal["cumulative"] = Field("cumulative", description="Temporality of sums.")
    default_histogram_aggregation: Any = refused(
        "own histograms have explicit buckets", accept=("explicit_bucket_histogram",)
    )

    @field_validator("headers", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """Take the list form `[{name, value}]` too."""
        if isinstance(value, list) and all(isinstance(item, dict) and set(item) == {"name", "value"} for item in value):
            return {item["name"]: item["value"] for item in value}
        return value


class PrometheusPull(ConfigModel):
    """The page with own metrics for Prometheus to scrape."""

    host: str = Field("localhost", description="Host to listen on.")
    port: int = Field(8888, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tls: ServerTls | None = Field(None, description="Serve HTTPS. A key of ours.")
    auth: PageAuth | None = Field(None, description="Who checks scrapers. A key of ours.")
    without_scope_info: bool = Field(False, description="Leave out `otel_scope_*` labels.")
    without_units: bool = Field(False, description="Leave out unit suffixes in names.")
    without_type_suffix: bool = Field(False, description="Leave out `_total` in names of counters.")
    with_resource_constant_labels: Any = refused("join with target_info instead", accept=({}, {"included": []}))


class PullExporter(ConfigModel):
    """What a pulled reader exports to."""

    prometheus: PrometheusPull = Field(description="A page for Prometheus to scrape.")


class PullReader(ConfigModel):
    """A reader that is asked for metrics."""

    exporter: PullExporter = Field(description="What it exports to.")


class PushExporter(ConfigModel):
    """What a periodic reader exports to."""

    otlp: OtlpPush | None = Field(None, description="OTLP endpoint.")
    console: dict[str, Any] | None = refused("read the metrics page instead: metrics.readers pull prometheus")


class PeriodicReader(ConfigModel):
    """A reader that pushes metrics from time to time."""

    interval: int = Field(60_000, ge=1, description="Time between exports, milliseconds.")
    timeout: int = Field(30_000, ge=1, description="Time for one export, milliseconds.")
    exporter: PushExporter = Field(description="What it exports to.")

    @model_validator(mode="after")
    def _has_exporter(self) -> PeriodicReader:
        if self.exporter.otlp is None:
            raise InvalidKey("name an exporter: otlp", "exporter")
        return self


class MetricReader(ConfigModel):
    """One way out for own metrics: `pull` or `periodic`."""

    pull: PullReader | None = Field(None, description="Waits to be scraped.")
    periodic: PeriodicReader | None = Field(None, description="Pushes.")

    @model_validator(mode="after")
    def _is_one(self) -> MetricReader:
        if (self.pull is None) == (self.periodic is None):
            raise ValueError("a reader is one of pull, periodic")
        return self


class BatchLogProcessor(ConfigModel):
    """Own log records in batches."""

    exporter: PushExporter = Field(description="What it exports to.")
    schedule_delay: int = Field(5_000, ge=1, description="Time between exports, milliseconds.")
    export_timeout: int = Field(30_000, ge=1, description="Time for one export, milliseconds.")
    max_queue_size: int = Field(2048, ge=1, description="Records held at most; more are dropped and counted.")
    max_export_batch_size: int = Field(512, ge=1, description="Records in one export at most.")


class LogProcessor(ConfigModel):
    """One way out for own logs beside the console."""

    batch: BatchLogProcessor = Field(description="Pushes in batches.")
    simple: Any = refused("use batch")


class LogsTelemetry(ConfigModel):
    """Penstock's own log."""

    level: LogLevel = Field("info", description="Lowest level that is written.")
    encoding: Literal["console", "json"] = Field("console", description="Form of a line.")
    development: Any = refused("it changes Go's logger only", accept=(False,))
    disable_caller: bool = Field(False, description="Leave out the place in the source.")
    disable_stacktrace: bool = Field(False, description="Leave out stack traces of errors.")
    disable_zap_resource: Any = refused("component fields stand on every line", accept=(False,))
    sampling: LogSampling | None = Field(default_factory=LogSampling, description="Limit on repeated lines.")
    output_paths: list[str] = Field(["stderr"], description="`stderr`, `stdout` or files.")
    error_output_paths: Any = refused("errors of the logger itself go to stderr", accept=(["stderr"],))
    initial_fields: dict[str, Any] = Field({}, description="Fields added to every line.")
    processors: list[LogProcessor] = Field([], description="Export of the log over OTLP.")


def default_readers() -> list[MetricReader]:
    """The Collector's: a page on localhost:8888 with bare names, unlike that of a reader written by hand."""
    page = PrometheusPull(without_scope_info=True, without_units=True, without_type_suffix=True)
    return [MetricReader(pull=PullReader(exporter=PullExporter(prometheus=page)))]


class MetricsTelemetry(ConfigModel):
    """Penstock's own metrics."""

    level: TelemetryLevel = Field("normal", description="How much is measured.")
    readers: list[MetricReader] = Field(
        default_factory=default_readers, description="Ways out: a page to scrape, OTLP push."
    )
    views: Any = refused("the set of own metrics follows `level`", accept=([],))
    address: Any = refused(
        "removed from the Collector in v0.123; write readers: [{pull: {exporter: {prometheus: {host, port}}}}]"
    )

    @model_validator(mode="after")
    def _has_reader(self) -> MetricsTelemetry:
        if self.level != "none" and not self.readers:
            raise InvalidKey("collector telemetry metrics reader should exist when metric level is not none", "readers")
        return self


class TracesTelemetry(ConfigModel):
    """Penstock does not trace itself."""

    level: Any = refused("Penstock does not trace itself; its metrics have durations per component", accept=("none",))
    propagators: Any = refused("Penstock does not trace itself", accept=([],))
    processors: Any = refused("Penstock does not trace itself", accept=([],))
    sampler: Any = refused("Penstock does not trace itself")
    limits: Any = refused("Penstock does not trace itself")


class TelemetryConfig(ConfigModel):
    """What Penstock says about itself: logs and metrics."""

    logs: LogsTelemetry = Field(default_factory=LogsTelemetry, description="Own log.")
    metrics: MetricsTelemetry = Field(default_factory=MetricsTelemetry, description="Own metrics.")
    traces: TracesTelemetry = Field(
        default_factory=TracesTelemetry, description="Refused: Penstock does not trace itself."
    )
    resource: dict[str, str | None] = Field({}, description="Attributes that identify this process; null removes one.")

    @field_validator("resource", mode="before")
    @classmethod
    def _attributes(cls, value: Any) -> Any:
        """Take the list form `{attributes: [{name, value}]}` too."""
        if value is None:
            return {}
        if isinstance(value, dict) and isinstance(listed := value.get("attributes"), list):
            rest = {key: item for key, item in value.items() if key not in ("attributes", "schema_url")}
            return rest | {
                item["name"]: item.get("value") for item in listed if isinstance(item, dict) and "name" in item
            }
        return value


class ServiceConfig(ConfigModel):
    """What runs, how it stops, and what it says about itself."""

    extensions: tuple[ComponentId, ...] = Field((), description="Ids of the extensions to start, in this order.")
    pipelines: dict[str, PipelineConfig] = Field(
        {}, description="Pipelines by id: `traces`, `metrics`, `logs`, `/name`."
    )
    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig, description="Own logs and metrics.")
    drain_timeout: Duration = Field(30.0, ge=0, description="Time that a stop waits for queues to empty.")
    tenant_from: tuple[str, ...] = Field(
        ("auth.subject", "metadata.x-scope-orgid", "resource.tenant.id"),
        description="Where the tenant of a record is looked up, in order: `auth.X`, `metadata.X` or `resource.X`.",
    )

    @field_validator("tenant_from")
    @classmethod
    def _known_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place in value:
            kind, _, name = place.partition(".")
            if kind not in ("auth", "metadata", "resource") or not name:
                raise ValueError(f'"{place}": expected auth.X, metadata.X or resource.X')
        return value
