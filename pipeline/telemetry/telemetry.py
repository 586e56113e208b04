"""Own metrics and logs as one thing with a life: built from `service.telemetry`, started, changed, stopped."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version as installed_version

from pipeline.clock import Clock, SystemClock
from pipeline.config.ids import ComponentId
from pipeline.config.service import MetricsTelemetry, PrometheusPull, TelemetryConfig
from pipeline.errors import StartError
from pipeline.telemetry.lines import LOGGER
from pipeline.telemetry.log import Log
from pipeline.telemetry.logs import LogOutput
from pipeline.telemetry.meter import Meter, MetricsRegistry
from pipeline.telemetry.process import ProcessMetrics, lag_histogram, probe_loop
from pipeline.telemetry.readers import (
    FindAuthenticator,
    LogQueue,
    LogsPush,
    MetricsPush,
    Pool,
    PullPage,
    Reader,
    Source,
)
from pipeline.transport.admin import Authenticate
from pipeline.transport.certificates import CertificateNews
from pipeline.worker import ALONE, Worker


class Telemetry:
    """Registry, log and readers of one process.

    The log is in force from construction on (what happens at start is logged, too), readers from `start` on. One of
    several workers pushes for itself and has no page: its parent's shows the metrics of all.

    Attributes:
        registry: every own metric.
    """

    def __init__(
        self,
        settings: TelemetryConfig,
        clock: Clock | None = None,
        *,
        worker: Worker = ALONE,
        pool: Pool | None = None,
        find_authenticator: FindAuthenticator | None = None,
    ) -> None:
        """Build from `service.telemetry`.

        Args:
            settings: what to show, and where.
            clock: the system's when absent.
            worker: which of several processes this is.
            pool: metrics of other processes, for the page.
            find_authenticator: gives the extension that checks who looks at the page.

        Raises:
            StartError: an output file of the log cannot be opened.
        """
        self.registry = MetricsRegistry()
        self._clock = clock or SystemClock()
        self._version = installed_version("penstock")
        self._instance_id = str(uuid.uuid4())
        self._worker = worker
        self._source = Source(self.registry, self._version, self._clock.time_ns(), pool=pool)
        self._log = Log(logging.getLogger(LOGGER))
        self._find_authenticator = find_authenticator or _no_authenticator
        self._probe: asyncio.Task[None] | None = None
        self._settings = settings
        self._pages: dict[tuple[str, int], PullPage] = {}
        self._pushers: list[Reader] = []
        ProcessMetrics(self.registry)
        self._adopt(settings)
        self._output, self._log_pushers = self._build_logs(settings)
        self._output.install()

    def meter(self, labels: Mapping[str, str]) -> Meter:
        """The instruments of one component; its labels, e.g. `{"exporter": "otlp/tempo"}`, stand on every series."""
        return Meter(self.registry, labels)

    def log(self, *, component: str = "", kind: str = "", signal: str = "", pipeline: str = "") -> Log:
        """The log of one component, under the Collector's field names; of the process itself without arguments."""
        fields = {
            "otelcol.component.id": component,
            "otelcol.component.kind": kind,
            "otelcol.signal": signal,
            "otelcol.pipeline.id": pipeline,
        }
        return self._log.bind(**{key: value for key, value in fields.items() if value})

    @property
    def ports(self) -> list[int]:
        """Ports on which own metrics can be scraped."""
        return [page.port for page in self._pages.values()]

    async def start(self) -> None:
        """Listen, push and measure the event loop.

        Raises:
            StartError: a port is in use.
        """
        self._pages, self._pushers = await self._build_readers(self._settings.metrics, {})
        await _start_all([*self._pushers, *self._log_pushers])
        if self._source.pool is None:
            self._probe = asyncio.create_task(probe_loop(lag_histogram(self.registry)), name="loop lag probe")

    async def stop(self) -> None:
        """Push what is left, stop listening, close the log."""
        if self._probe is not None:
            self._probe.cancel()
            with suppress(asyncio.CancelledError):
                await self._probe
        await _stop_all([*self._pushers, *self._pages.values(), *self._log_pushers])
        self._output.remove()

    async def apply(self, settings: TelemetryConfig) -> None:
        """Change over to other settings: the new is started first; a page whose address stays keeps its socket.

        Raises:
            StartError: something new cannot start; the old runs on unchanged.
        """
        output, log_pushers = self._build_logs(settings)
        try:
            pages, pushers = await self._build_readers(settings.metrics, self._pages)
        except StartError:
            output.discard()
            raise
        await _start_all([*pushers, *log_pushers])
        gone: list[Reader] = [page for key, page in self._pages.items() if key not in pages]
        gone += [*self._pushers, *self._log_pushers]
        self._settings, self._pages, self._pushers, self._log_pushers = settings, pages, pushers, log_pushers
        self._restyle(settings.metrics)
        self._adopt(settings)
        self._output.remove()
        self._output = output
        self._output.install()
        await _stop_all(gone)

    def _adopt(self, settings: TelemetryConfig) -> None:
        self._source.level = settings.metrics.level
        self._source.resource = self._resource(settings)

    def _resource(self, settings: TelemetryConfig) -> dict[str, str]:
        own = {
            "service.instance.id": self._instance_id,
            "service.name": "penstock",
            "service.version": self._version,
        }
        resource = {key: str(value) for key, value in (own | settings.resource).items() if value is not None}
        if self._worker.count > 1:
            # What is pushed under one name would be one process to its backend, counting up and down.
            resource["penstock.worker"] = str(self._worker.index)
            if settings.resource.get("service.instance.id"):
                resource["service.instance.id"] += f"-{self._worker.index}"
        return resource

    def _build_logs(self, settings: TelemetryConfig) -> tuple[LogOutput, list[Reader]]:
        meter = self.meter({})
        suppressed = meter.counter("penstock_log_lines_suppressed", "Lines of the log that its sampling kept back.")
        dropped = meter.counter("penstock_log_records_dropped", "Log records that found the push queue full.")
        queues: list[logging.Handler] = []
        pushers: list[Reader] = []
        for processor in settings.logs.processors:
            queue = LogQueue(processor.batch.max_queue_size, dropped.inc)
            queues.append(queue)
            pushers.append(LogsPush(processor.batch, self._source, queue, self._log, self._clock))
        logs = settings.logs
        if self._worker.count > 1:
            logs = logs.model_copy(update={"initial_fields": {"worker": self._worker.index} | logs.initial_fields})
        return LogOutput(logs, self._resource(settings), suppressed, queues), pushers

    async def _build_readers(
        self, metrics: MetricsTelemetry, running: Mapping[tuple[str, int], PullPage]
    ) -> tuple[dict[tuple[str, int], PullPage], list[Reader]]:
        readers = metrics.readers if metrics.level != "none" else []
        pushers: list[Reader] = [
            MetricsPush(reader.periodic, self._source, self._log, self._clock) for reader in readers if reader.periodic
        ]
        pages: dict[tuple[str, int], PullPage] = {}
        started: list[Reader] = []
        pulls = [] if self._worker.count > 1 else [reader.pull for reader in readers if reader.pull]
        for config in [pull.exporter.prometheus for pull in pulls]:
            key = (config.host, config.port)
            page = pages[key] = running.get(key) or self._new_page(config)
            try:
                if key in running:
                    page.check_change(config)
                else:
                    await page.start()
                    started.append(page)
            except StartError:
                await _stop_all(started)
                raise
        return pages, pushers

    def _new_page(self, config: PrometheusPull) -> PullPage:
        # A meter of its own: what it shows of its certificate ends with the page.
        endpoint = f"{config.host}:{config.port}"
        news = CertificateNews(self.meter({}), self._log, "own_metrics", "server", endpoint=endpoint)
        return PullPage(config, self._source, self._find_authenticator, news)

    def _restyle(self, metrics: MetricsTelemetry) -> None:
        for reader in metrics.readers:
            if reader.pull is not None:
                config = reader.pull.exporter.prometheus
                if page := self._pages.get((config.host, config.port)):
                    page.restyle(config)


def _no_authenticator(component_id: ComponentId) -> Authenticate:
    raise StartError(f'extension "{component_id}" is not started in this process')


async def _start_all(readers: list[Reader]) -> None:
    for reader in readers:
        await reader.start()


async def _stop_all(readers: list[Reader]) -> None:
    for reader in readers:
        await reader.stop()
