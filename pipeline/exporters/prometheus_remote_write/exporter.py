"""Exporter `prometheus_remote_write`."""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

from google.protobuf.message import DecodeError

from pipeline.component import Exporter, Host
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.exporters.http_backend import HttpBackend
from pipeline.exporters.prometheus_remote_write.answers import error_of
from pipeline.exporters.prometheus_remote_write.collected import Collected
from pipeline.exporters.prometheus_remote_write.config import RemoteWriteConfig
from pipeline.exporters.prometheus_remote_write.translation import Translator
from pipeline.exporters.prometheus_remote_write.work import Suspects, Work
from pipeline.prometheus.drops import Drops
from pipeline.signals import Batch, Signal

# Remote write 1.0, "Protocol".
_HEADERS: Final = {"content-type": "application/x-protobuf", "x-prometheus-remote-write-version": "0.1.0"}
# Putting a series together costs about 2 us: that of more than these is done beside the event loop.
_MANY_SERIES: Final = 1000
# What later releases of Prometheus allow a remote write (storage/remote/write_handler.go). To earlier ones one sample
# from next year is the newest there is, and all that comes in time is too old.
_MAX_AHEAD_MS: Final = 600_000


class PrometheusRemoteWriteExporter(Exporter):
    """Writes metrics to Prometheus, Mimir, Thanos and their like with remote write 1.0.

    Batches are sent one after the other, and all samples of a series in a batch in one request: no sample overtakes an
    earlier one, retries and reloads included. What the backend answers with 429 or 5xx is sent again; of what it
    rejects, the samples at fault are looked for, and the others arrive. What has arrived is not sent again when other
    requests of the batch have failed.

    Names and labels are those of the `prometheus` exporter; exponential histograms become native histograms. Deltas,
    and what else has no form in Prometheus, are dropped and counted in `penstock_prometheus_dropped_points_total` by
    reason; samples that the backend rejects in `penstock_prometheus_rejected_samples_total`.
    """

    type = "prometheus_remote_write"
    aliases = ("prometheusremotewrite",)
    example = '{endpoint: "http://localhost:9090/api/v1/write"}'
    signals = frozenset({Signal.METRICS})
    ordered = True
    Config = RemoteWriteConfig
    config: RemoteWriteConfig

    def __init__(self, config: RemoteWriteConfig, host: Host) -> None:
        """Keep the settings; connections are made by requests."""
        super().__init__(config, host)
        self._backend = HttpBackend(config, host, "snappy", _HEADERS)
        self._drops = Drops(host)
        self._translator = Translator(config, self._drops, host.clock)
        self._translating = asyncio.Lock()
        self._works: WeakKeyDictionary[Batch, asyncio.Task[Work]] = WeakKeyDictionary()
        self._suspects = Suspects()
        meter = host.meter
        self._sent_requests = meter.counter(
            "otelcol_exporter_prometheusremotewrite_sent_batches", "Requests sent to the backend, answered or not."
        )
        self._translated = meter.counter(
            "otelcol_exporter_prometheusremotewrite_translated_time_series", "Series that batches were translated to."
        )

    @classmethod
    def not_shared(cls, config: RemoteWriteConfig) -> str:  # noqa: ARG003 - whatever the configuration
        """Samples of one series may come to two workers, which do not wait for each other."""
        return (
            "samples of one series may come over two connections, to two workers, and overtake each other; "
            "send metrics on with otlp_http, to one process that has this exporter"
        )

    async def start(self) -> None:
        """Open the session. Raises StartError for an unknown authenticator, a bad file, or a missing library."""
        await self._backend.start([self.config.endpoint])

    async def stop(self) -> None:
        """Close the connections."""
        await super().stop()
        await self._backend.stop()

    async def export(self, batch: Batch) -> None:
        """Write the samples of a batch; called again with it, what is left of them."""
        work = await self._work_of(batch)
        try:
            refused = await work.send(self._post, self.config.parallelism)
        finally:
            self._tell(work)
        if refused is not None:
            raise refused
        del self._works[batch]
        if work.error is not None and not work.arrived:
            raise _indivisible(work.error)

    async def _work_of(self, batch: Batch) -> Work:
        """What is left of the batch. A translation that takes longer than an attempt goes on for the next one."""
        task = self._works.get(batch)
        if task is None:
            task = self._works[batch] = self.host.tasks.start(self._translate(batch), "translate")
        try:
            return await asyncio.shield(task)
        finally:
            if task.done() and (task.cancelled() or task.exception() is not None):
                self._works.pop(batch, None)

    async def _translate(self, batch: Batch) -> Work:
        collected = Collected(self.host.clock.time_ns() // 1_000_000 + _MAX_AHEAD_MS)
        try:
            # One that was given up may not have ended.
            async with self._translating:
                for _ in self._translator.translate(batch.serialize(), collected):
                    await asyncio.sleep(0)
        except DecodeError:
            raise Rejected("malformed protobuf", code=Code.INVALID_ARGUMENT, divisible=True) from None
        requests = collected.requests(self.config.request_bytes, self._suspects)
        is_large = len(collected.series) >= _MANY_SERIES
        work = Work(await asyncio.to_thread(list, requests) if is_large else requests, self._suspects)
        self._translated.inc(len(collected.series))
        if collected.duplicates:
            self._drops.drop("", "same_labels", collected.duplicates)
        return work

    async def _post(self, body: bytes) -> DeliveryError | None:
        self._sent_requests.inc()
        try:
            answer = await self._backend.post(self.config.endpoint, body)
        except DeliveryError as error:
            return error
        except OSError as error:
            # Out of a group of requests it would not be seen for what it is.
            return Refused(f"network error: {type(error).__name__}", code=Code.UNAVAILABLE)
        except MemoryError:
            return Refused("out of memory", code=Code.RESOURCE_EXHAUSTED)
        return error_of(answer, self.host.clock)

    def _tell(self, work: Work) -> None:
        for reason, samples in work.rejected.items():
            self.host.log.warning("The backend rejects samples. Dropping data.", reason=reason, samples=samples)
            self.host.meter.counter(
                "penstock_prometheus_rejected_samples", "Samples that the backend does not take, by reason.",
                reason=reason,
            ).inc(samples)  # fmt: skip
        work.rejected.clear()


def _indivisible(error: DeliveryError) -> Rejected:
    """Nothing of the batch was taken, which parts of it would not change."""
    return Rejected(str(error), code=error.code, said=error.said)
