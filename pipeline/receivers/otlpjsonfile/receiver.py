"""The `otlpjsonfile` receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pipeline.component import Host, Receiver
from pipeline.errors import Refused, Rejected
from pipeline.receivers.otlpjsonfile.config import OtlpJsonFileConfig
from pipeline.receivers.otlpjsonfile.origin import attributes_of, mark
from pipeline.receivers.otlpjsonfile.tail import Tail
from pipeline.receivers.otlpjsonfile.watch import Watch
from pipeline.signals import Batch, Context, Request, Signal, intake, otlp_json

_T = TypeVar("_T")

_KEYS: Final = {
    Signal.TRACES: (b'"resourceSpans"', b'"resource_spans"'),
    Signal.LOGS: (b'"resourceLogs"', b'"resource_logs"'),
    Signal.METRICS: (b'"resourceMetrics"', b'"resource_metrics"'),
}
_LARGE_LINE_BYTES: Final = 256 << 10
_FIRST_PAUSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 30.0


class OtlpJsonFileReceiver(Receiver):
    """Reads files of OTLP JSON, one request a line, such as the `file` exporter writes, and follows them as they grow.

    A line that is no OTLP JSON is counted, logged and skipped. When the pipeline refuses, the line is offered again
    until it is taken, so that nothing is skipped under load. Positions are not kept across restarts.
    """

    type = "otlpjsonfile"
    example = '{include: ["$TMP/*.jsonl"]}'
    listens = False
    Config = OtlpJsonFileConfig

    def __init__(self, config: OtlpJsonFileConfig, host: Host) -> None:
        super().__init__(config, host)
        self._watch = Watch(host.log, at_end=config.start_at == "end" and not config.replay_file)
        self._look_for(config)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=str(host.id))
        self._context = Context(receiver=str(host.id), transport="file")
        self._malformed = host.meter.counter("penstock_receiver_malformed_lines", "Lines that are no OTLP JSON.")

    @classmethod
    def not_shared(cls, config: OtlpJsonFileConfig) -> str:  # noqa: ARG003 - the contract's argument
        """Files have no owner among workers."""
        return "each worker would read all files; read them in a process of its own"

    async def start(self) -> None:
        """Find the files, then follow them in the background."""
        self._tails = await self._in_thread(self._watch.scan)
        self.host.tasks.spawn(self._follow, "follow files")

    async def reconfigure(self, config: OtlpJsonFileConfig) -> bool:
        """Follow other files from now on; those that stay are read on from where they are."""
        self.config = config
        self._look_for(config)
        return True

    def _look_for(self, config: OtlpJsonFileConfig) -> None:
        self._watch.include, self._watch.exclude = config.include, config.exclude
        self._watch.replay = config.replay_file

    async def stop(self) -> None:
        """Stop reading."""
        await super().stop()
        await self._in_thread(self._watch.close)
        self._thread.shutdown(wait=False)

    async def _follow(self) -> None:
        while True:
            for tail in self._tails:
                try:
                    await self._drain(tail)
                except OSError as error:
                    self.host.log.warning(
                        "Cannot read file. Will try again.", file=str(tail.path), error=error.strerror
                    )
            await self.host.clock.sleep(self.config.poll_interval)
            self._tails = await self._in_thread(self._watch.scan)

    async def _drain(self, tail: Tail) -> None:
        while (lines := await self._in_thread(tail.read)) is not None:
            for line in lines:
                if not line.isspace() and line:
                    await self._take(line, tail)
            if tail.oversized:
                self._skip(tail, "longer than 64 MiB", tail.oversized)
                tail.oversized = 0

    async def _take(self, line: bytes, tail: Tail) -> None:
        signals = [signal for signal, keys in _KEYS.items() if any(key in line for key in keys)]
        try:
            for signal in signals or [Signal.TRACES]:
                await self._offer(signal, line, attributes_of(tail.path, self.config))
        except Rejected as error:
            self._skip(tail, str(error), 1)

    async def _offer(self, signal: Signal, line: bytes, origin: Mapping[str, str]) -> None:
        """Pass on what the line has of one signal; again and again while the pipeline refuses. Raises Rejected."""
        pause_s = _FIRST_PAUSE_S
        while True:
            batch = await self._batch(signal, line, origin)
            if not batch.count or signal not in self.next:
                return
            try:
                await self.next[signal].consume(batch)
            except Refused as error:
                self._count("refused", signal, batch.count)
                await self.host.clock.sleep(error.retry_after_s or pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
            except Rejected as error:
                self._count("refused", signal, batch.count)
                self.host.log.error("Pipeline rejected data. Dropping it.", error=str(error), items=batch.count)
                return
            else:
                self._count("accepted", signal, batch.count)
                return

    async def _batch(self, signal: Signal, line: bytes, origin: Mapping[str, str]) -> Batch:
        """A batch of its own for each offer: a pipeline may have written to the one that it refused."""

        def decode() -> Request:
            request = otlp_json.decode(signal, line)
            if origin:
                mark(request, origin)
            return request

        request = await self._in_thread(decode) if len(line) > _LARGE_LINE_BYTES else decode()
        return intake.of_message(signal, request, self._context)

    def _count(self, outcome: str, signal: Signal, items: int) -> None:
        name, description = f"otelcol_receiver_{outcome}_{signal.items}", f"Items {outcome} by the pipeline."
        self.host.meter.counter(name, description, transport="file").inc(items)

    def _skip(self, tail: Tail, reason: str, lines: int) -> None:
        self._malformed.inc(lines)
        self.host.log.warning("Skipping line of file.", file=str(tail.path), reason=reason)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
