"""The `debug` exporter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from pipeline import registry
from pipeline.component import Exporter, Host
from pipeline.config import ANY_CASE, ConfigModel
from pipeline.delivery import SendingQueue
from pipeline.errors import StartError
from pipeline.exporters.debug import detailed, normal
from pipeline.exporters.debug.output import Output
from pipeline.exporters.debug.sampler import Sampler
from pipeline.exporters.debug.summary import summary
from pipeline.exporters.debug.views import SpanViews
from pipeline.signals import Batch

_LINES_PER_TURN: Final = 500


class DebugConfig(ConfigModel):
    """How much is shown, and where."""

    verbosity: Annotated[Literal["basic", "normal", "detailed"], ANY_CASE] = Field(
        default="basic", description="`basic`: counts; `normal`: a line for each record; `detailed`: everything."
    )
    sampling_initial: int = Field(default=2, ge=0, description="Batches shown at the beginning of each second.")
    sampling_thereafter: int = Field(
        default=1, ge=0, description="After those, each so-many-th batch of the second is shown; 0: no more of them."
    )
    use_internal_logger: bool = Field(
        default=True, description="Show counts in Penstock's log and telemetry on stderr, instead of in `output_paths`."
    )
    output_paths: tuple[str, ...] = Field(
        default=("stdout",),
        min_length=1,
        description="`stdout`, `stderr` or files to append to; used when `use_internal_logger` is false.",
    )
    sending_queue: SendingQueue = Field(default=SendingQueue(enabled=False), description="Where batches wait; off.")


class DebugExporter(Exporter):
    """Shows telemetry as text: counts, a line for each record, or everything, with LLM calls in words."""

    type: ClassVar[str] = "debug"
    Config = DebugConfig

    def __init__(self, config: DebugConfig, host: Host) -> None:
        super().__init__(config, host)
        self._sampler = Sampler(host.clock, config.sampling_initial, config.sampling_thereafter)
        self._output = Output(("stderr",) if config.use_internal_logger else config.output_paths)
        self._lines: Callable[[Batch], Iterator[str]] | None = None
        if config.verbosity != "basic":
            views = SpanViews(registry.load_all("debug_views"), host.log)
            self._lines = (normal if config.verbosity == "normal" else detailed).Writer(views).lines
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Open the output files. Raises StartError."""
        try:
            await asyncio.to_thread(self._output.open)
        except OSError as error:
            raise StartError(f"{self.host.id}: cannot open {error.filename}: {error.strerror}") from error

    async def export(self, batch: Batch) -> None:
        """Show one batch, unless sampling leaves it out."""
        if not self._sampler.admits():
            return
        title, counts = summary(batch)
        if self.config.use_internal_logger:
            self.host.log.info(title, **counts)
            first = []
        else:
            shown = ", ".join(f'"{name}": {count}' for name, count in counts.items())
            first = [f"{title}\t{{{shown}}}\n"]
        async with self._turn:
            await self._show(first, batch)

    async def stop(self) -> None:
        """Close the output files."""
        await super().stop()
        await asyncio.to_thread(self._output.close)

    async def _show(self, first: list[str], batch: Batch) -> None:
        lines = iter(()) if self._lines is None else self._lines(batch)
        text = first
        while part := list(islice(lines, _LINES_PER_TURN)):
            text += part
            await asyncio.sleep(0)
        if text:
            await asyncio.to_thread(self._output.write, "".join(text))
