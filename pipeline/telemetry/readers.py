"""Ways out for own telemetry: pages that are scraped, metrics and log records that are pushed."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias

from prometheus_client.core import Metric

from pipeline.clock import Clock
from pipeline.config.ids import ComponentId
from pipeline.config.server import PageAuth
from pipeline.config.service import BatchLogProcessor, OtlpPush, PeriodicReader, PrometheusPull
from pipeline.config.text import without_password
from pipeline.errors import PenstockError, StartError
from pipeline.signals import Auth, Context, Signal
from pipeline.telemetry.exposition import Family
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.telemetry.otlp import logs_request, metrics_request
from pipeline.telemetry.own import PageStyle, own_families, visible
from pipeline.telemetry.page import ScrapePage
from pipeline.telemetry.push import OtlpClient
from pipeline.transport.admin import Authenticate
from pipeline.transport.certificates import CertificateNews
from pipeline.transport.server_tls import ssl_context

FindAuthenticator: TypeAlias = Callable[[ComponentId], Authenticate]
"""Gives the check of the running authenticator extension of this id. Raises StartError where there is none."""


class Pool(Protocol):
    """Metrics of other processes that are shown on the page of this one."""

    async def refresh(self) -> None:
        """Ask the others."""

    def combined(self, own: Iterable[Metric]) -> Iterable[Metric]:
        """The metrics of this process and of the others as those of one."""


@dataclass(slots=True)
class Source:
    """What readers read: the registry, and how much of it is shown for whom."""

    registry: MetricsRegistry
    version: str
    start_ns: int
    level: str = "normal"
    resource: Mapping[str, str] = field(default_factory=dict)
    pool: Pool | None = None

    def metrics(self) -> Iterable[Metric]:
        """The metrics of the configured level, as they are now."""
        return visible(self.registry.collect(), self.level)

    def page_metrics(self) -> Iterable[Metric]:
        """As `metrics`, with those of the pool."""
        own = self.registry.collect()
        return visible(own if self.pool is None else self.pool.combined(own), self.level)


class Reader(Protocol):
    """A way out that runs between `start` and `stop`."""

    async def start(self) -> None:
        """Begin. Raises StartError."""

    async def stop(self) -> None:
        """End."""


class PullPage:
    """`/metrics` on one port."""

    def __init__(self, config: PrometheusPull, source: Source, find: FindAuthenticator, news: CertificateNews) -> None:
        """Set the address; `restyle` may change the names, and who may look, later."""
        self._source, self._find, self._news = source, find, news
        self._host, self._port = config.host, config.port
        self._tls = config.tls
        self._page = ScrapePage(self._families, refresh=None if source.pool is None else source.pool.refresh)
        self.restyle(config)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._page.port

    def check_change(self, config: PrometheusPull) -> None:
        """Raises StartError where a new configuration for the same address asks for what a running page cannot do."""
        if config.tls != self._tls:
            raise StartError(
                f"own metrics on port {self._port}: `tls` of a page that runs cannot change; restart Penstock. "
                "Files are read again with reload_interval"
            )
        self._check_auth(config.auth)

    def restyle(self, config: PrometheusPull) -> None:
        """Take over `without_*` and `auth` of a new configuration for the same address."""
        self._style = PageStyle(config.without_scope_info, config.without_units, config.without_type_suffix)
        self._auth = config.auth
        self._page.authenticate = None if config.auth is None else partial(self._authenticate, config.auth)

    def _check_auth(self, auth: PageAuth | None) -> None:
        if auth is not None:
            self._find(auth.authenticator)

    async def _authenticate(self, auth: PageAuth, context: Context) -> Auth:
        # Looked up each time: a reload may have put another extension in its place.
        return await self._find(auth.authenticator)(context)

    def _families(self) -> list[Family]:
        source = self._source
        return own_families(source.page_metrics(), source.resource, self._style, version=source.version)

    async def start(self) -> None:
        """Listen. Raises StartError."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            self._check_auth(self._auth)
            tls = None if self._tls is None else ssl_context(self._tls, news=self._news)
            await self._page.start(f"{host}:{self._port}", tls)
        except StartError as error:
            raise StartError(
                f"failed to start own metrics: {error}; see service::telemetry::metrics::readers"
            ) from error

    async def stop(self) -> None:
        """Stop listening."""
        await self._page.stop()


class _Pusher(ABC):
    """A task that sends now and then, and once more at the end."""

    def __init__(self, endpoint: OtlpPush, interval_ms: int, timeout_ms: int, log: Log, clock: Clock) -> None:
        self._client = OtlpClient(endpoint)
        self._endpoint = without_password(endpoint.endpoint)
        self._interval_s, self._timeout_s = interval_ms / 1000, timeout_ms / 1000
        self._log, self._clock = log, clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"push own telemetry to {self._endpoint}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._push()
        await self._client.close()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(self._interval_s)
            await self._push()

    async def _push(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send()
        except (PenstockError, TimeoutError) as error:
            self._log.warning("Failed to push own telemetry.", endpoint=self._endpoint, error=error)

    @abstractmethod
    async def _send(self) -> None:
        """Send what there is. Raises PenstockError."""


class MetricsPush(_Pusher):
    """A periodic reader: all own metrics over OTLP every interval."""

    def __init__(self, config: PeriodicReader, source: Source, log: Log, clock: Clock) -> None:
        """Set where and how often."""
        assert config.exporter.otlp is not None, "the configuration names an exporter"  # noqa: S101 - checked by its model
        super().__init__(config.exporter.otlp, config.interval, config.timeout, log, clock)
        self._source = source

    async def _send(self) -> None:
        source = self._source
        request = metrics_request(
            source.metrics(),
            source.resource,
            version=source.version,
            start_ns=source.start_ns,
            now_ns=self._clock.time_ns(),
        )
        await self._client.send(Signal.METRICS, request.SerializeToString())


class LogQueue(logging.Handler):
    """Keeps log records until they are pushed; when full, further ones are dropped and counted."""

    def __init__(self, size: int, dropped: Callable[[], None]) -> None:
        """Hold at most `size` records."""
        super().__init__()
        self._records: deque[logging.LogRecord] = deque()
        self._size = size
        self._dropped = dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        if len(self._records) < self._size:
            self._records.append(record)
        else:
            self._dropped()

    def take(self, count: int) -> list[logging.LogRecord]:
        """Remove and return the oldest records, at most `count`."""
        return [self._records.popleft() for _ in range(min(count, len(self._records)))]


class LogsPush(_Pusher):
    """A batch processor of own log records: pushes over OTLP what its queue holds."""

    def __init__(self, config: BatchLogProcessor, source: Source, queue: LogQueue, log: Log, clock: Clock) -> None:
        """Set where and how often."""
        assert config.exporter.otlp is not None, "the configuration names an exporter"  # noqa: S101 - checked by its model
        super().__init__(config.exporter.otlp, config.schedule_delay, config.export_timeout, log, clock)
        self._source, self._queue, self._batch = source, queue, config.max_export_batch_size

    async def _send(self) -> None:
        while records := self._queue.take(self._batch):
            request = logs_request(records, self._source.resource, version=self._source.version)
            await self._client.send(Signal.LOGS, request.SerializeToString())
