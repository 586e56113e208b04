"""Texts into windows, and windows into numbers, by the very code that scores texts later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.lots import lots
from processors.adversarial.features import measures, ngrams, sequences
from processors.adversarial.features.block import GAP, Tables
from processors.adversarial.features.concepts import Lexicon
from processors.adversarial.model.examination import Examination
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import PLAIN, Reading, View
from training.adversarial.rows import Row

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]
Sparse: TypeAlias = Any

MAX_CHARACTERS: Final = 24_000
_LOT: Final = 60_000
# Of a benign text so many windows are looked at, of an attack more: any of them may be the one.
_MAX_BENIGN: Final = 12
_MAX_ATTACK: Final = 40

ATTACK, BENIGN, UNSURE = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Sample:
    """Windows of all rows.

    Attributes:
        rows: the row of each window.
        texts: a number for each view of a row.
        lengths: code points of each window.
        truth: ATTACK, BENIGN, or UNSURE where a window has a part of a payload only; a window of an attack whose
            payload is not known is ATTACK.
        ngrams: how often each n-gram is in it, sparse.
        sequences: the same of sequences of concepts.
        rest: all measures but the linear ones.
    """

    rows: Ints
    texts: Ints
    lengths: Ints
    truth: Ints
    ngrams: Sparse
    sequences: Sparse
    rest: Floats


def extract(rows: Sequence[Row], tables: Tables, lexicon: Lexicon, seed: int = 0) -> Sample:
    """Look at all rows."""
    dice = np.random.default_rng(seed)
    looks = [
        _look(rows, lot, Examination([view.text for _, _, view in lot], tables, lexicon), dice)
        for lot in lots(_views(rows), _size, _LOT)
    ]
    texts = np.cumsum([0, *(int(look.texts.max()) + 1 for look in looks)])
    return Sample(
        np.concatenate([look.rows for look in looks]),
        np.concatenate([look.texts + before for look, before in zip(looks, texts, strict=False)]),
        np.concatenate([look.lengths for look in looks]),
        np.concatenate([look.truth for look in looks]),
        sparse.vstack([look.ngrams for look in looks], "csr"),
        sparse.vstack([look.sequences for look in looks], "csr"),
        np.concatenate([look.rest for look in looks]),
    )


Seen: TypeAlias = tuple[int, Reading, View]


def _views(rows: Sequence[Row]) -> Iterator[Seen]:
    for number, row in enumerate(rows):
        reading = read(row.text[:MAX_CHARACTERS])
        for view in reading.views:
            yield number, reading, view


def _size(seen: Seen) -> int:
    return len(seen[2].text) + GAP


def _look(rows: Sequence[Row], lot: Sequence[Seen], seen: Examination, dice: np.random.Generator) -> Sample:
    windows = seen.windows
    row_of = np.array([number for number, _, _ in lot]).take(windows.texts)
    chosen = np.flatnonzero(_sampled(rows, row_of, dice))
    windows = windows.take(chosen)
    around = measures.surroundings([(reading, view) for _, reading, view in lot]).take(windows.texts, 0)
    begins = seen.block.starts.take(windows.texts)
    truth = [
        _truth(rows[row], lot[text][2], start, end)
        for row, text, start, end in zip(
            row_of[chosen].tolist(),
            windows.texts.tolist(),
            (windows.starts - begins).tolist(),
            (windows.ends - begins).tolist(),
            strict=True,
        )
    ]
    runs = [(np.arange(len(buckets)), buckets) for buckets in ngrams.character_buckets(seen.block)]
    runs += list(ngrams.word_buckets(seen.block))
    found = sequences.sequences_of(seen.items) if len(seen.items.places) else None
    order = np.argsort(found.firsts, kind="stable") if found else None
    steps = [(found.firsts[order], found.entries[order])] if found else []
    return Sample(
        row_of[chosen],
        windows.texts,
        windows.ends - windows.starts,
        np.array(truth),
        _counts(runs, windows.starts, windows.ends, 1 << ngrams.BITS),
        _counts(steps, seen.first.take(chosen), seen.last.take(chosen), sequences.SIZE),
        np.concatenate((seen.rest(chosen), around), 1),
    )


def _sampled(rows: Sequence[Row], row_of: Ints, dice: np.random.Generator) -> npt.NDArray[np.bool_]:
    kept = np.zeros(len(row_of), np.bool_)
    for number in np.unique(row_of):
        at = np.flatnonzero(row_of == number)
        most = _MAX_ATTACK if rows[number].is_attack else _MAX_BENIGN
        kept[at if len(at) <= most else dice.choice(at, most, replace=False)] = True
    return kept


def _truth(row: Row, view: View, start: int, end: int) -> int:
    if not row.is_attack:
        return BENIGN
    if row.payload is None or view.name != PLAIN:
        return ATTACK
    first, last = row.payload
    shared = min(last, end) - max(first, start)
    if shared <= 0:
        return BENIGN
    return ATTACK if shared >= 0.6 * min(last - first, end - start) else UNSURE


def _counts(runs: Sequence[tuple[Ints, Ints]], starts: Ints, ends: Ints, size: int) -> Sparse:
    """A row for each stretch: how often each bucket is in it. Places of runs are sorted."""
    parts: list[list[Ints]] = [[] for _ in starts]
    for places, buckets in runs:
        for part, first, last in zip(
            parts, np.searchsorted(places, starts).tolist(), np.searchsorted(places, ends).tolist(), strict=True
        ):
            part.append(buckets[first:last])
    joined = [np.concatenate(part) if part else np.zeros(0, np.int64) for part in parts]
    ends_of = np.cumsum([0, *map(len, joined)])
    values = np.ones(int(ends_of[-1]), np.float32)
    matrix = sparse.csr_matrix((values, np.concatenate(joined).astype(np.int32), ends_of), (len(joined), size))
    matrix.sum_duplicates()
    return matrix


__all__ = ["ATTACK", "BENIGN", "UNSURE", "Floats", "Ints", "Sample", "Sparse", "extract"]
