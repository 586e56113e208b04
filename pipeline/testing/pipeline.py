"""Run processors as a pipeline, configured by the YAML a user would write."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from pipeline.component import Processor, Stage
from pipeline.config import load
from pipeline.run import fuse
from pipeline.signals import Batch
from pipeline.testing.clock import FakeClock
from pipeline.testing.host import make_host
from pipeline.testing.sinks import CollectingSink

_SHELL = """
receivers: {{otlp: {{protocols: {{http: }}}}}}
exporters: {{nop: }}
processors:
{processors}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}
"""


@dataclass(slots=True)
class RunningPipeline:
    """Processors between a test and a sink."""

    entry: Stage
    sink: CollectingSink
    clock: FakeClock
    processors: list[Processor]

    async def send(self, batch: Batch) -> None:
        """Hand a batch to the first processor. Raises Refused or Rejected as a receiver would see it."""
        await self.entry.consume(batch)


@asynccontextmanager
async def run_processors(snippet: str) -> AsyncIterator[RunningPipeline]:
    """Run the processors of a YAML mapping in its order, with a fake clock, into a collecting sink.

    Example:
        async with run_processors("batch: {timeout: 1s}") as pipeline:
            await pipeline.send(traces({"a": 1}))
            await pipeline.clock.advance(1)
            assert pipeline.sink.count == 1

    Raises:
        ConfigError: as for a whole file.
    """
    text = _SHELL.format(processors=textwrap.indent(textwrap.dedent(snippet).strip(), "  "))
    settings = load([f"yaml:{text}"])
    clock, sink = FakeClock(), CollectingSink()
    processors = [
        cast(Processor, item.cls(item.config, make_host(str(item.id), clock=clock)))
        for item in settings.processors.values()
    ]
    tasks = make_host(clock=clock).tasks
    entry = fuse(processors, sink, tasks)
    try:
        for processor in reversed(processors):
            await processor.start()
        yield RunningPipeline(entry, sink, clock, processors)
    finally:
        for processor in processors:
            await processor.stop()
        await tasks.stop()
