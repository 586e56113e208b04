"""Documents that a retriever or reranker found, as a list in the conventions' form; its length is their number.

Source: OpenTelemetry GenAI conventions, JSON schema of retrieval documents: `id`, `score` and whatever else is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.reading.documents import Documents, Source, field_of
from processors.gen_ai_normalizer.reading.json_text import dump, parse_structure
from processors.gen_ai_normalizer.reading.values import read_double

DOCUMENTS: Final = "gen_ai.retrieval.documents"
_VECTORS: Final = frozenset({"vector", "embedding", "embeddings", "values", "sparse_values"})
"""Fields that are numbers by the thousand and say nothing to a reader."""
_ENVELOPES: Final = ("documents", "results", "matches", "hits", "data", "ranking")

Listing = Callable[[Documents], list[Any]]


@dataclass(frozen=True, slots=True)
class FoundDocuments:
    """One place where documents stand, and what their fields are called there."""

    listed: Listing
    fields: Mapping[str, tuple[str, ...]]

    def gather(self, documents: Documents) -> list[dict[str, Any]]:
        """The documents; empty where there are none."""
        found = (_document(parse_structure(entry), self.fields) for entry in self.listed(documents))
        return [document for document in found if document]


@dataclass(frozen=True, slots=True)
class BuildDocuments:
    """Fills the documents of a retrieval from the first place that has any."""

    places: tuple[FoundDocuments, ...]

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the documents unless they are there."""
        if DOCUMENTS in attributes:
            return
        for place in self.places:
            found = place.gather(documents)
            if found:
                attributes[DOCUMENTS] = dump(found)
                return
        tally["unmapped"] += 1


@dataclass(frozen=True, slots=True)
class InKeys:
    """Lists what stands in indexed keys."""

    keys: FlatKeys

    def __call__(self, documents: Documents) -> list[Any]:
        """The elements."""
        return self.keys.build(documents.attributes)


@dataclass(frozen=True, slots=True)
class InText:
    """Lists what stands in JSON text: a list, a list within a mapping, or one element."""

    source: Source

    def __call__(self, documents: Documents) -> list[Any]:
        """The elements."""
        found = documents.read(self.source)
        if isinstance(found, dict):
            inner = next((found[key] for key in _ENVELOPES if isinstance(found.get(key), list)), None)
            return inner if inner is not None else [found]
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class InEvents:
    """Lists span events, each with its attributes as fields."""

    names: frozenset[str]

    def __call__(self, documents: Documents) -> list[Any]:
        """The elements."""
        beside = documents.beside
        return [dict(event.fields) for event in beside.named(self.names)] if beside is not None else []


def _document(value: Any, fields: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"content": value} if value else {}
    if not isinstance(value, dict):
        return {}
    if not fields:
        return {key: entry for key, entry in value.items() if key not in _VECTORS and entry is not None}
    found = {field: _first(value, names) for field, names in fields.items()}
    score = read_double(found.get("score"))
    if score is not None:
        found["score"] = score
    return {field: parse_structure(entry) for field, entry in found.items() if entry is not None}


def _first(value: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((entry for name in names if (entry := field_of(value, name)) is not None), None)
