"""The user's own mappings on span events: spans and log records have them among the rules of their dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.signals import Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.reading.values import Reader


class CustomMapping(NamedTuple):
    """Where the user wants an attribute, and how."""

    target: str
    overwrite: bool = False
    originals: str = "keep"
    """What becomes of the attribute that was read: keep, drop or move."""


class Mapped(NamedTuple):
    """One mapping."""

    target: str
    read: Reader
    overwrite: bool
    originals: str
    """What becomes of the attribute that was read: keep, drop or move."""


def map_events(span: Span, mappings: Mapping[str, Mapped], moved_prefix: str) -> None:
    """Copy attributes of the span's events as the user maps them."""
    for event in span.events:
        keys = mappings.keys() & event.attributes.keys()
        for key in sorted(keys):
            _map(event.attributes, key, mappings[key], moved_prefix)


def _map(attributes: Attributes, key: str, mapped: Mapped, moved_prefix: str) -> None:
    if mapped.target in attributes and not mapped.overwrite:
        return
    value: Any = mapped.read(attributes[key])
    if value is None:
        return
    attributes[mapped.target] = value
    if mapped.originals != "keep":
        old = attributes.pop(key)
        if mapped.originals == "move":
            attributes[moved_prefix + key] = old
