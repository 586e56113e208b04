"""The numbers that the model reads of a window."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.block import SHAPE_BITS, SHAPES, Block, Places
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
# Fields of `Block.shapes` in the order of the measures: digits, the last of them, are the second.
_FIELDS: Final = np.array([0, len(SHAPES), *range(1, len(SHAPES))], np.uint64) * np.uint64(SHAPE_BITS)
_FIELD: Final = np.uint64((1 << SHAPE_BITS) - 1)
_SHAPE: Final = ("length", "symbols", "digits", "lines", "gaps", "continuous", "concepts", "distinct_concepts")
_LINEAR: Final = ("ngrams", "sequences", "sequences_below")
_KINDS: Final = ("is_hidden", "is_decoded", "is_respelled", "upper")
AROUND: Final = len(Sign) + len(_KINDS)
"""So many measures at the end are those of the whole view."""
_HIDDEN: Final = frozenset({"tag", "variation_selector", "zero_width", "invisible_space"})
_RESPELLED: Final = frozenset({"rot13", "reversed", "leet", "spaced", "accents", "markup", "katakana"})


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
    sizes = last - first
    behind = sizes.cumsum()
    rows = np.arange(len(sizes)).repeat(sizes)
    at = np.arange(len(rows)) + (first - behind + sizes).take(rows)
    rows *= _CONCEPTS
    marks = items.marks.take(at)
    places = rows + items.concepts.take(at)
    if marks.any():
        quoted, first_of_all = rows.compress(marks & 1) + QUOTED, rows.compress(marks >> 1) + FIRST
        places = np.concatenate((places, quoted, first_of_all))
    seen = np.bincount(places, minlength=len(sizes) * _CONCEPTS).reshape(-1, _CONCEPTS)
    counts: Measures = np.minimum(seen, MAX_COUNT).astype(np.float32)
    return counts


def shape(block: Block, windows: Windows, counts: Measures) -> Measures:
    """What a window looks like."""
    lengths = np.maximum(windows.ends - windows.starts, 1)
    found = block.shapes.take(windows.ends) - block.shapes.take(windows.starts)
    shares = ((found[:, None] >> _FIELDS) & _FIELD) / lengths[:, None]
    words = counts[:, :QUOTED]
    columns = (np.log(lengths)[:, None], shares, words.sum(1)[:, None], (words > 0).sum(1)[:, None])
    return np.concatenate(columns, 1).astype(np.float32)


def surroundings(views: Sequence[tuple[Reading, View]]) -> Measures:
    """What is known of views as a whole."""
    around = np.zeros((len(views), AROUND), np.float32)
    signed = [number for number, (reading, _) in enumerate(views) if any(reading.signs)]
    if signed:
        signs = np.array([views[number][0].signs for number in signed], np.float32)
        around[signed, : len(Sign)] = np.sqrt(np.minimum(signs, MAX_SIGNS))
    around[:, len(Sign) :] = [_kinds(reading, view) for reading, view in views]
    return around


def _kinds(reading: Reading, view: View) -> tuple[bool, bool, bool, float]:
    if view.name == PLAIN:
        return False, False, False, _upper_share(reading.text)
    parts = view.name.split("+")
    is_hidden, is_respelled = not _HIDDEN.isdisjoint(parts), not _RESPELLED.isdisjoint(parts)
    return is_hidden, not is_hidden and not is_respelled, is_respelled, 0.0


def _upper_share(text: str) -> float:
    """Share of capital letters A to Z; small texts are never all capitals."""
    sample = text[:_SAMPLE].encode("utf-8", "replace")
    return (len(sample) - len(sample.translate(None, _CAPITALS))) / (len(sample) + 1)


__all__ = ["AROUND", "MAX_COUNT", "MAX_SIGNS", "Measures", "concept_counts", "linear", "names", "shape", "surroundings"]
