"""Takes given texts out of others, however they are written there: JSON, JSON in JSON, escapes, pieces."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pipeline.signals import Value
from processors.adversarial.parts import leaves_of
from processors.redaction.detection.encodings import ESCAPES, Decoded, has_escapes, unescaped

MARKER: Final = "<ADVERSARIAL>"
"""What stands in the place of a text that was taken out."""

WINDOW: Final = 20
"""So many characters of a text, wherever they stand, are a copy."""
_FEWEST_LETTERS: Final = 4
"""A window with fewer is a line or a margin."""
_SHORTEST_FOUND: Final = 8
"""A shorter text is only taken out where it stands alone."""
_LAYERS: Final = 4
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_ASCII: Final = 128
_IS_LETTER: Final = np.array([chr(code).isalnum() for code in range(_ASCII)])
_DATA: Final = "data:"
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")

Ranges = list[tuple[int, int]]


class Eraser:
    """Takes texts, all of them at once, out of values of any shape."""

    def __init__(self, texts: Iterable[str], structures: Iterable[Any] = ()) -> None:
        """`structures`: values of which all texts are to be taken out, and which go whole where they stand whole."""
        self._trees: defaultdict[Any, list[Any]] = defaultdict(list)
        known: set[str] = set()
        for text in texts:
            self._learn_text(text, known)
        for structure in structures:
            self._learn_tree(structure, known)
        self._exact = {text.strip() for text in known} - {""}
        self._short = [text for text in self._exact if _SHORTEST_FOUND <= len(text) < WINDOW]
        hashes = [_hashes(text) for text in known if len(text) >= WINDOW]
        self._hashes = np.unique(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)

    def _learn_text(self, text: str, known: set[str]) -> None:
        known.add(text)
        for _ in range(_LAYERS):
            if not has_escapes(text):
                break
            text = unescaped(text)
            known.add(text)
        if (tree := _parsed(text)) is not None:
            self._learn_tree(tree, known)

    def _learn_tree(self, tree: Any, known: set[str]) -> None:
        """Note a structure with text in it, and its texts."""
        leaves = list(leaves_of(tree))
        for leaf in leaves:
            # A shorter one may be any word, and stand anywhere.
            if len(leaf) >= WINDOW and leaf not in known:
                self._learn_text(leaf, known)
        if leaves and isinstance(tree, dict | list) and not self._is_known(tree):
            self._trees[_shape(tree)].append(tree)

    def _is_known(self, tree: dict[str, Any] | list[Any]) -> bool:
        return bool(self._trees) and tree in self._trees.get(_shape(tree), ())

    def value(self, value: Value) -> Value:
        """The value without the texts; the very same object where they were not in it."""
        try:
            new: Value = self._walk(value)
        except RecursionError:
            return MARKER
        return new

    def ranges(self, text: str, layers: int = _LAYERS) -> Ranges:
        """Where the texts, or pieces of them, stand in one, under so many layers of escapes; disjoint, in order."""
        found = self._plain_ranges(text)
        if layers and has_escapes(text):
            layer = Decoded(text, ESCAPES)
            inner = self.ranges(layer.text, layers - 1)
            found = _merged([*found, *[layer.original(start, end) for start, end in inner]])
        return found

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list | dict) and self._is_known(value):
            return MARKER
        if isinstance(value, list):
            items = [self._walk(item) for item in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if isinstance(value, dict):
            pairs = [(self._text(key), self._walk(item)) for key, item in value.items()]
            is_same = all(new is old for (_, new), old in zip(pairs, value.values(), strict=True))
            return value if is_same and [key for key, _ in pairs] == list(value) else dict(pairs)
        if isinstance(value, bytes):
            text = value.decode("utf-8", "surrogateescape")
            new = self._text(text)
            return value if new is text else new.encode("utf-8", "surrogateescape")
        return value

    def _text(self, text: str) -> str:
        stripped = text.strip()
        if not stripped:
            return text
        if stripped in self._exact:
            return MARKER
        tree = _parsed(text)
        if tree is not None:
            new = self._walk(tree)
            return text if new is tree else _written(new, text)
        if "\n" in text and (lines := self._lines(text)) is not None:
            return lines
        return self.without(text, self.ranges(text))

    def _lines(self, text: str) -> str | None:
        """A text with JSON in some of its lines, as server-sent events have it; None for any other."""
        lines = text.split("\n")
        heads = [_DATA if line.startswith(_DATA) else "" for line in lines]
        trees = [_parsed(line[len(head) :]) for line, head in zip(lines, heads, strict=True)]
        if all(tree is None for tree in trees):
            return None
        # What reaches over lines is found in the whole, what is escaped in the lines.
        written = []
        for line, head, tree in zip(lines, heads, trees, strict=True):
            new = self._walk(tree) if tree is not None else None
            if tree is None or new is tree:
                written.append(line)
            else:
                written.append(f"{head}{' ' if head else ''}{_written(new, line)}")
        joined = "\n".join(written)
        erased = self.without(joined, self.ranges(joined))
        return text if erased == text else erased

    @staticmethod
    def without(text: str, ranges: Ranges) -> str:
        """The text with the marker in the place of each range."""
        if not ranges:
            return text
        pieces, position = [], 0
        for start, end in ranges:
            pieces += [text[position:start], MARKER]
            position = end
        new = "".join([*pieces, text[position:]])
        return MARKER if new.strip() == MARKER else new

    def _plain_ranges(self, text: str) -> Ranges:
        found: Ranges = []
        if len(text) >= WINDOW and len(self._hashes):
            hashes = _hashes(text, keep=True)
            places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
            hits = np.flatnonzero(self._hashes[places] == hashes)
            if len(hits):
                gaps = np.flatnonzero(np.diff(hits) > WINDOW)
                starts = hits[np.concatenate(([0], gaps + 1))].tolist()
                ends = hits[np.concatenate((gaps, [len(hits) - 1]))].tolist()
                found = [(start, end + WINDOW) for start, end in zip(starts, ends, strict=True)]
        for short in self._short:
            start = text.find(short)
            while start >= 0:
                found.append((start, start + len(short)))
                start = text.find(short, start + len(short))
        return _merged(found)


def _shape(tree: dict[str, Any] | list[Any]) -> tuple[Any, ...]:
    """What equal structures have in common, and few others."""
    first = min(tree, default="") if isinstance(tree, dict) else 0
    value = tree[first] if tree else None  # type: ignore[index]  # of its own kind
    return type(tree), len(tree), first, value if isinstance(value, str | int) else type(value)


def pieces_without(eraser: Eraser, pieces: Sequence[str]) -> list[str]:
    """A text that stands in pieces, without the texts; the marker is in the piece where each began."""
    ranges = eraser.ranges("".join(pieces))
    if not ranges:
        return list(pieces)
    written, offset = [], 0
    for piece in pieces:
        end = offset + len(piece)
        kept, position = [], offset
        for start, stop in ranges:
            if stop <= offset or start >= end:
                continue
            kept.append(piece[position - offset : max(start, offset) - offset])
            kept.append(MARKER if start >= offset else "")
            position = min(stop, end)
        written.append("".join([*kept, piece[position - offset :]]))
        offset = end
    return written


def _hashes(text: str, *, keep: bool = False) -> npt.NDArray[np.uint64]:
    """A hash of each window of a text; `keep`: also of those that have few letters, so that indexes are offsets."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    count = len(codes) - WINDOW + 1
    hashes = np.zeros(count, np.uint64)
    for shift in range(WINDOW):
        hashes *= _FACTOR
        hashes += codes[shift : shift + count] + np.uint64(1)
    if keep:
        return hashes
    is_letter = (codes >= _ASCII) | _IS_LETTER[np.minimum(codes, _ASCII - 1)]
    letters = np.concatenate(([0], np.cumsum(is_letter)))
    return hashes[letters[WINDOW:] - letters[:-WINDOW] >= _FEWEST_LETTERS]


def _merged(ranges: Ranges) -> Ranges:
    """Ranges in order, those that touch as one."""
    merged: Ranges = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def _parsed(text: str) -> Any:
    """What JSON text says; None for any other. Python's parser keeps large numbers, and reads NaN."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _written(tree: Any, like: str) -> str:
    """JSON in the style of a text."""
    spaced = '": ' in like or '", ' in like
    # Half of a surrogate pair can only be written as an escape.
    is_ascii = like.isascii() or _HALF.search(like) is not None
    return json.dumps(tree, ensure_ascii=is_ascii, separators=(", ", ": ") if spaced else (",", ":"))
