"""The numbers that the model reads of a window."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.alphabet import BREAK, CONTINUOUS, LINE, MARK, SEPARATOR
from processors.adversarial.features.block import Block, Places
from processors.adversarial.features.concepts import FIRST, QUOTED
from processors.adversarial.features.sequences import Items
from processors.adversarial.features.windows import Windows
from processors.adversarial.text.view import PLAIN, Reading, Sign, View

Measures: TypeAlias = npt.NDArray[np.float32]

MAX_SIGNS: Final = 20
MAX_COUNT: Final = 3
"""A concept more often than this is as often as this."""
_SAMPLE: Final = 4000
_CAPITALS: Final = string.ascii_uppercase.encode()
_CONCEPTS: Final = FIRST + 1
_DIGIT: Final = np.uint64(ord("0"))
_SHAPE: Final = ("length", "symbols", "digits", "lines", "gaps", "continuous", "concepts", "distinct_concepts")
_LINEAR: Final = ("ngrams", "sequences", "sequences_below")
_KINDS: Final = ("is_hidden", "is_decoded", "is_respelled", "upper")
AROUND: Final = len(Sign) + len(_KINDS)
"""So many measures at the end are those of the whole view."""
_HIDDEN: Final = frozenset({"tag", "variation_selector"})
_RESPELLED: Final = frozenset({"rot13", "reversed", "leet", "spaced"})


def names(concepts: list[str]) -> list[str]:
    """Names of the measures, in their order."""
    counted = [*concepts, *(f"reserved_{number}" for number in range(len(concepts), QUOTED)), "quoted", "first"]
    return [*_LINEAR, *counted, *_SHAPE, *(sign.name.lower() for sign in Sign), *_KINDS]


def linear(total: npt.NDArray[Any], rise: npt.NDArray[Any], windows: Windows) -> Measures:
    """What n-grams and sequences of concepts add up to in windows of all texts, put on scales that compare."""
    most = np.full(int(windows.texts[-1]) + 1, -np.inf)
    np.maximum.at(most, windows.texts, rise)
    columns = (total, rise, most.take(windows.texts) - rise)
    return np.stack(columns, 1).astype(np.float32)


def concept_counts(items: Items, first: Places, last: Places) -> Measures:
    """How often each concept is in each window."""
    seen = np.zeros((len(items.places) + 1, _CONCEPTS), np.int32)
    at = np.arange(1, len(items.places) + 1)
    seen[at, items.concepts] = 1
    seen[at, QUOTED] = items.marks & 1
    seen[at, FIRST] = items.marks >> 1
    np.cumsum(seen, axis=0, out=seen)
    counts: Measures = np.minimum(seen.take(last, 0) - seen.take(first, 0), MAX_COUNT).astype(np.float32)
    return counts


def shape(block: Block, windows: Windows, counts: Measures) -> Measures:
    """What a window looks like."""
    lengths = np.maximum(windows.ends - windows.starts, 1)
    share = [
        _share(chosen, windows) / lengths
        for chosen in (
            (block.classes >= MARK) & (block.classes <= BREAK),
            block.codes == _DIGIT,
            block.classes == LINE,
            block.classes == SEPARATOR,
            block.classes == CONTINUOUS,
        )
    ]
    words = counts[:, :QUOTED]
    columns = (np.log(lengths), *share, words.sum(1), (words > 0).sum(1))
    return np.stack(columns, 1).astype(np.float32)


def _share(chosen: npt.NDArray[np.bool_], windows: Windows) -> npt.NDArray[np.int64]:
    sums = np.concatenate(([0], np.cumsum(chosen)))
    counts: npt.NDArray[np.int64] = sums.take(windows.ends) - sums.take(windows.starts)
    return counts


def surroundings(views: Sequence[tuple[Reading, View]]) -> Measures:
    """What is known of views as a whole."""
    signs = np.array([reading.signs for reading, _ in views], np.float32)
    kinds = np.array([_kinds(reading, view) for reading, view in views], np.float32)
    return np.concatenate((np.sqrt(np.minimum(signs, MAX_SIGNS)), kinds), 1)


def _kinds(reading: Reading, view: View) -> tuple[bool, bool, bool, float]:
    if view.name == PLAIN:
        return False, False, False, _upper_share(reading.text)
    parts = view.name.split("+")
    is_hidden, is_respelled = not _HIDDEN.isdisjoint(parts), not _RESPELLED.isdisjoint(parts)
    return is_hidden, not is_hidden and not is_respelled, is_respelled, 0.0


def _upper_share(text: str) -> float:
    """Share of capital letters A to Z; small texts are never all capitals."""
    sample = text[:_SAMPLE].encode("utf-8", "replace")
    return 1 - len(sample.translate(None, _CAPITALS)) / (len(sample) + 1)


__all__ = ["AROUND", "MAX_COUNT", "MAX_SIGNS", "Measures", "concept_counts", "linear", "names", "shape", "surroundings"]
