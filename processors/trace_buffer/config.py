"""What the user says about the memory in which traces wait."""

from __future__ import annotations

from pydantic import Field

from pipeline.config import ConfigModel


class BufferConfig(ConfigModel):
    """Where undecided traces wait."""

    max_bytes: int = Field(256 << 20, ge=1 << 20, description="Memory for undecided traces, bytes, of all workers.")
    compress_above_bytes: int = Field(
        16_384, ge=0, description="Traces above this size are compressed once the buffer is half full."
    )
    spill_directory: str = Field("", description="Folder for what memory has no room for; empty: none.")
    spill_max_bytes: int = Field(1 << 30, ge=0, description="Room in that folder, bytes, of all workers.")
