"""The lexicon: what words stand for, read from files and compiled into a table of hashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from processors.adversarial.features.alphabet import CONTINUOUS
from processors.adversarial.features.block import MAX_CODES, Block, Hashes, Tables, powers
from processors.adversarial.tables import parse
from processors.adversarial.text.plain import fold

FOLDER: Final = Path(__file__).parent.parent / "data"
MAX_WORDS: Final = 5
STEM_LENGTHS: Final = (2, 3, 4, 5, 6, 7, 8)
PIECE_LENGTHS: Final = (2, 3, 4, 5, 6, 7, 8)

# Seeds of the kinds of entries: phrases by number of words, stems and pieces by number of characters.
_PHRASE: Final = 0xA24BAED4963EE407
PHRASE_SEED: Final = np.uint64(_PHRASE)
_MOST_WORDS: Final = MAX_CODES // 2
_UP: Final = powers(_PHRASE, _MOST_WORDS + MAX_WORDS + 1)
_DOWN: Final = powers(pow(_PHRASE, -1, 1 << 64), _MOST_WORDS)
STEM_SEEDS: Final = np.array([pow(0x9FB21C651E98DF25, n, 1 << 64) for n in STEM_LENGTHS], np.uint64)
PIECE_SEEDS: Final = np.array([pow(0xC2B2AE3D27D4EB4F, n, 1 << 64) for n in PIECE_LENGTHS], np.uint64)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the lexicon."""

    language: str
    concept: str
    text: str


def read_concepts(folder: Path = FOLDER) -> list[str]:
    """Names of the concepts, in the order of their numbers."""
    return list(_read(folder / "concepts.yaml")["concepts"])


def read_entries(folder: Path = FOLDER) -> Iterator[Entry]:
    """All entries of all languages."""
    for path in sorted((folder / "lexicon").glob("*.yaml")):
        for concept, texts in _read(path).items():
            for text in texts:
                yield Entry(path.stem, concept, fold(str(text)))


def _read(path: Path) -> Any:
    return parse(path.read_text("utf-8"))


def phrases(hashes: Hashes, into: Hashes, least: int = 1) -> None:
    """Hashes of phrases of `least` words, one more ... that begin with each of the first words, a row for each length.

    The hash of words w0..wn-1 is the polynomial w0 * b**n + ... + wn-1 * b, by prefix sums as in a `Block`. Behind the
    last word there are words whose hash is 0.
    """
    size, item = len(hashes), hashes.itemsize
    lengths, count = into.shape
    sums = np.empty(size + 1 + MAX_WORDS, np.uint64)
    sums[0] = 0
    (hashes * _DOWN[:size]).cumsum(out=sums[1 : size + 1])
    sums[size + 1 :] = sums[size]
    offset, strides = least * item, (item, item)
    np.subtract(np.ndarray(into.shape, np.uint64, sums, offset, strides), sums[:count], out=into)
    into *= np.ndarray((lengths, count), np.uint64, _UP, offset, strides)


def compile_entries(entries: Iterable[Entry], concepts: list[str], tables: Tables) -> tuple[Hashes, Hashes]:
    """Sorted hashes of entries, and the set of concepts of each as bits.

    Raises:
        ValueError: an entry that cannot be matched.
    """
    bits = {concept: 1 << number for number, concept in enumerate(concepts)}
    masks: dict[int, int] = {}
    for entry in entries:
        key = _hash_of(entry, tables)
        masks[key] = masks.get(key, 0) | bits[entry.concept]
    keys = np.array(sorted(masks), np.uint64)
    return keys, np.array([masks[int(key)] for key in keys], np.uint64)


def _hash_of(entry: Entry, tables: Tables) -> int:
    text = entry.text
    is_stem = text.endswith("*")
    block = Block([text.rstrip("*")], tables)
    starts, ends = block.words
    if (block.classes == CONTINUOUS).any():
        length = min(len(text), PIECE_LENGTHS[-1])
        if length < PIECE_LENGTHS[0] or is_stem:
            raise _unfit(entry)
        return _seeded(block, length, PIECE_SEEDS[length - PIECE_LENGTHS[0] :])
    if is_stem:
        length = min(len(text) - 1, STEM_LENGTHS[-1])
        if length < STEM_LENGTHS[0] or len(starts) != 1 or ends[0] - starts[0] != len(text) - 1:
            raise _unfit(entry)
        return _seeded(block, length, STEM_SEEDS[length - STEM_LENGTHS[0] :])
    if not 1 <= len(starts) <= MAX_WORDS:
        raise _unfit(entry)
    hashes = np.empty((MAX_WORDS, len(starts)), np.uint64)
    phrases(block.word_hashes, hashes)
    return int(hashes[len(starts) - 1, 0])


def _seeded(block: Block, length: int, seeds: Hashes) -> int:
    return int((block.hashes(block.starts, block.starts + length) * seeds[:1])[0])


def _unfit(entry: Entry) -> ValueError:
    return ValueError(f"lexicon/{entry.language}.yaml: {entry.concept}: {entry.text!r} cannot be matched")


__all__ = [
    "FOLDER",
    "MAX_WORDS",
    "PHRASE_SEED",
    "PIECE_LENGTHS",
    "PIECE_SEEDS",
    "STEM_LENGTHS",
    "STEM_SEEDS",
    "Entry",
    "compile_entries",
    "phrases",
    "read_concepts",
    "read_entries",
]
