"""The keys of `limits`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

import yaml
from pydantic import Field, field_validator

from pipeline.config import ConfigModel, Duration
from processors.limits.marker import MOST_BYTES, PLACE

LEAST_BYTES: Final = 128
"""The smallest limit: a mark and something of what was cut fit in."""


class AttributeLimit(ConfigModel):
    """The limit of one attribute."""

    max_bytes: int = Field(ge=LEAST_BYTES, description="Longest value, in bytes, the mark included.")


class TraceMemory(ConfigModel):
    """How long it is known what a trace has had."""

    max_entries: int = Field(50_000, ge=1, description="Traces at a time; beyond that the one unseen for longest goes.")
    idle: Duration = Field(600.0, gt=0, description="A trace is forgotten when no span of it came for so long.")


class LimitsConfig(ConfigModel):
    """How long values, spans and traces may be, and what is cut first."""

    max_attribute_bytes: int = Field(
        2048,
        ge=0,
        description="Longest key or value of an attribute (span, event, link, resource, scope, log record), name, "
        "status message or body, in bytes, the mark included; at least 128, or 0 for none. The default is where Tempo "
        "cuts.",
    )
    max_span_bytes: int = Field(
        0,
        ge=0,
        description="Largest span or log record, in bytes of OTLP without resource and scope; at least 1024, or 0 for "
        "none.",
    )
    max_trace_bytes: int = Field(
        0,
        ge=0,
        description="What the spans of a trace may have together as far as this process sees them, in bytes of OTLP; "
        "at least 65536, or 0 for none. A span gets at most a 64th of what its trace has left.",
    )
    over_trace: Literal["cut", "drop"] = Field(
        "cut",
        description="A span for which its trace has no room, however much is cut: `cut` passes what is left of it, "
        "`drop` drops it, counted as `trace_too_large`.",
    )
    trace_memory: TraceMemory = Field(TraceMemory(), description="How long it is known what a trace has had.")
    attributes: Mapping[str, AttributeLimit] = Field(
        {}, description="Limits of single attributes, in place of `max_attribute_bytes`."
    )
    keep: tuple[str, ...] = Field(
        (), description="Attributes that are never cut or removed; a `*` at the end stands for anything."
    )
    cut_first: tuple[str, ...] | None = Field(
        None,
        description="Attributes that give way first where a span is too large; a `*` at the end stands for anything. "
        "Absent: messages, tool calls, documents and other content, as all dialects name it.",
    )
    marker: str = Field(
        "…[cut {bytes} bytes]",
        description="What ends a text that was cut; `{bytes}` is how many are missing. At most 64 bytes.",
    )

    @field_validator("max_attribute_bytes")
    @classmethod
    def _leaves_room_for_the_mark(cls, value: int) -> int:
        return _at_least(value, LEAST_BYTES)

    @field_validator("max_span_bytes")
    @classmethod
    def _is_a_span(cls, value: int) -> int:
        return _at_least(value, 1024)

    @field_validator("max_trace_bytes")
    @classmethod
    def _is_a_trace(cls, value: int) -> int:
        return _at_least(value, 65_536)

    @field_validator("marker")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        if len(value.encode("utf-8", "replace")) > MOST_BYTES:
            raise ValueError(f"expected at most {MOST_BYTES} bytes")
        if not value.isprintable() or not {'"', "\\"}.isdisjoint(value):
            raise ValueError("expected printable characters without quotes and backslashes: it stands in JSON, too")
        if value.count(PLACE) > 1:
            raise ValueError(f"expected {PLACE} once")
        return value

    def yielding(self) -> tuple[str, ...]:
        """What gives way first: `cut_first`, or what ships."""
        return content_keys() if self.cut_first is None else self.cut_first


def _at_least(value: int, least: int) -> int:
    if 0 < value < least:
        raise ValueError(f"expected at least {least}, or 0 for no limit")
    return value


@lru_cache(maxsize=1)
def content_keys() -> tuple[str, ...]:
    """Attributes that hold what people and models said, by the data file."""
    text = files(__package__).joinpath("data/content.yaml").read_text(encoding="utf-8")
    return tuple(key for keys in yaml.safe_load(text).values() for key in keys)
