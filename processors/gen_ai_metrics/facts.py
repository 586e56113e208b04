"""What is worked out of a record: how long it took, the gaps between its chunks, what a retrieval found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from pipeline.signals import Value
from processors.gen_ai_metrics.catalog import DurationRow

Get = Callable[[str], Value]

DOCUMENTS: Final = "gen_ai.retrieval.documents"
_ROWS: Final = "db.response.returned_rows"
_NS: Final = 1e-9
_PER_UNIT: Final = {"s": 1.0, "ms": 1e-3}
_LONGEST_TEXT: Final = 256 << 10
"""Longer lists of documents are not opened: the event loop is not to be held."""

Found = tuple[int | None, str | None, list[float] | None]
"""Number of documents, `hit` or `no_hit`, scores."""
NOTHING: Final[Found] = (None, None, None)


def duration_s(start_ns: int, end_ns: int) -> float | None:
    """Length of a span; None where the times cannot be."""
    return (end_ns - start_ns) * _NS if end_ns >= start_ns > 0 else None


def said_duration_s(get: Get, rows: Sequence[DurationRow]) -> float | None:
    """How long a call took by its log record; None where that does not say."""
    for row in rows:
        value = get(row.attribute)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return value * _PER_UNIT[row.unit]
    return None


def found_documents(get: Get) -> Found:
    """What a retrieval found."""
    said = get(DOCUMENTS)
    documents = _listed(said)
    if documents is not None:
        return len(documents), _outcome(len(documents)), _scores(documents)
    if isinstance(said, str) and len(said) > _LONGEST_TEXT:
        return None, "hit", None
    count = get(_ROWS)
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return count, _outcome(count), None
    return NOTHING


def _outcome(count: int) -> str:
    return "hit" if count else "no_hit"


def _listed(said: Any) -> list[Any] | None:
    if isinstance(said, str) and len(said) <= _LONGEST_TEXT:
        try:
            said = orjson.loads(said)
        except orjson.JSONDecodeError:
            return None
    return said if isinstance(said, list) else None


def _scores(documents: list[Any]) -> list[float]:
    scores = [document.get("score") for document in documents if isinstance(document, dict)]
    return [score for score in scores if isinstance(score, int | float) and not isinstance(score, bool)]
