"""What the user says about `groupbytrace`: the Collector's keys, and the bounds of its memory."""

from __future__ import annotations

from pydantic import Field

from pipeline.config import ConfigModel, Duration, refused
from processors.trace_buffer.config import BufferConfig


class GroupByTraceConfig(ConfigModel):
    """How long spans wait for the others of their trace, and how many may wait."""

    wait_duration: Duration = Field(1.0, gt=0, description="Time from the first span of a trace to its release.")
    num_traces: int = Field(1_000_000, ge=1, description="Traces that may wait, of all workers.")
    num_workers: int = Field(1, ge=1, description="Accepted; one event loop does the work.")
    discard_orphans: bool = refused(
        "the Collector does not have it either; tail_sampling drops by what is in a trace",
        accept=(False,),
        default=False,
    )
    store_on_disk: bool = refused(
        "the Collector does not have it either; set buffer::spill_directory", accept=(False,), default=False
    )
    buffer: BufferConfig = Field(default_factory=BufferConfig, description="Where traces wait.")
