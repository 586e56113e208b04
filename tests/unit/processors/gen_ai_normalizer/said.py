"""What a record says: all texts and numbers in it, those inside JSON and Python texts included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import yaml

from pipeline.signals import Batch, LogRecord, Record, Span
from processors.gen_ai_normalizer.knowledge.rules import load_rules, load_table
from processors.gen_ai_normalizer.reading.json_text import parse_text

_DEEPEST: Final = 40
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
SCHEMA: Final = frozenset(
    (
        *("role", "parts", "name", "finish_reason", "type", "text", "content", "reasoning", "tool_call", "id"),
        *("tool_call_response", "server_tool_call", "server_tool_call_response", "arguments", "response", "blob"),
        *("uri", "file", "modality", "mime_type", "file_id", "image", "audio", "video", "document", "function"),
        *("description", "parameters", "score", "metadata", "user", "assistant", "system", "tool", "unknown"),
        *("compaction", "refusal"),
    )
)
"""Words of the conventions' JSON schemas for messages, tool definitions and documents."""
TABLES: Final = ("finish_reasons", "messages", "message_events", "operations", "profiles", "providers", "targets")


def fields(record: Record) -> dict[str, Any]:
    """Everything in a record that has a value: attributes, events, body."""
    found: dict[str, Any] = {"attributes": dict(record.attributes), "scope": record.scope.name}
    if isinstance(record, LogRecord):
        found |= {"body": record.body, "event_name": record.event_name}
    if isinstance(record, Span):
        found |= {"name": record.name, "events": [(event.name, dict(event.attributes)) for event in record.events]}
    return found


def leaves(value: Any, depth: int = 0) -> Iterator[Any]:
    """All scalars in a value, and in the structures that its texts hold; keys of mappings are texts, too."""
    if isinstance(value, str):
        yield value
        inner = parse_text(value) if depth < _DEEPEST else value
        if inner is not value and not isinstance(inner, str):
            yield from leaves(inner, depth + 1)
        elif isinstance(inner, str) and inner != value:
            yield inner
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield str(key)
            yield from leaves(entry, depth + 1)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from leaves(entry, depth + 1)
    elif value is not None:
        yield value


def records_of(batch: Batch) -> list[dict[str, Any]]:
    """The fields of all records of a batch."""
    return [fields(record) for record in batch.records()]


def numbers_in(texts: str) -> set[float]:
    """The numbers that stand in a text."""
    return {float(found) for found in _NUMBER.findall(texts)}


@cache
def vocabulary() -> frozenset[str]:
    """Words that the normaliser may write by itself: those of its data files."""
    words = {leaf for name in TABLES for leaf in leaves(load_table(name)) if isinstance(leaf, str)}
    words |= {leaf for rule in load_rules() for leaf in leaves(yaml.safe_load(rule.model_dump_json())) if leaf}
    return frozenset(word for word in words if isinstance(word, str)) | SCHEMA
