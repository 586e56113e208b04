"""A cheap expression that every match of a regular expression contains, for the engines that find candidates.

It has nothing in it that JSON escapes, nothing unbounded and no class beyond ASCII, so that it is found in raw bytes
and both engines see the same. Of an expression that RE2 reads differently from Python nothing is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from processors.redaction.detection.syntax import ASCII_END, FOLDED, constants, parse

ANYTHING: Final = r"[^\n]|\n"
"""Found in every text."""

_ENOUGH: Final = 2.0
_MOST_REPEATS: Final = 16
_LONGEST: Final = 64
_LARGEST_CLASS: Final = 64
_CATEGORIES: Final = {
    constants.CATEGORY_DIGIT: frozenset("0123456789"),
    constants.CATEGORY_WORD: frozenset(chr(code) for code in range(ASCII_END) if chr(code).isalnum() or code == 0x5F),
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """An expression that is matched as a whole, and how much it says: a literal character counts as one."""

    expression: str = ""
    score: float = 0.0
    length: int = 0

    def __add__(self, other: _Piece) -> _Piece:
        return _Piece(self.expression + other.expression, self.score + other.score, self.length + other.length)


@dataclass(slots=True)
class _Search:
    """The best found so far: one of these expressions is in every match."""

    caseless: bool
    expressions: tuple[str, ...] = ()
    score: float = 0.0
    piece: _Piece = field(default_factory=_Piece)

    def append(self, piece: _Piece) -> None:
        """Go on with what stands directly behind."""
        self.piece = self.piece + piece
        if self.piece.length > _LONGEST:
            self.cut()

    def cut(self, following: _Piece = _Piece()) -> None:
        """What comes behind may be anything, but ends in `following`."""
        self.offer((self.piece.expression,), self.piece.score)
        self.piece = following

    def offer(self, expressions: tuple[str, ...], score: float) -> None:
        """Keep what says most."""
        if score > self.score:
            self.expressions, self.score = expressions, score


def required(source: str) -> tuple[str, ...]:
    """Expressions one of which is in every match of an RE2 expression; `ANYTHING` where none is known."""
    tree = parse(source)
    if tree is None:
        return (ANYTHING,)
    expressions, score = _best(tree, bool(tree.state.flags & re.IGNORECASE))
    return expressions if score >= _ENOUGH else (ANYTHING,)


def _best(nodes: Sequence[Any], caseless: bool) -> tuple[tuple[str, ...], float]:
    search = _Search(caseless)
    for operator, argument in nodes:
        piece = _exact(operator, argument, caseless)
        if piece is not None:
            search.append(piece)
        else:
            _pass(search, operator, argument)
    search.cut()
    return search.expressions, search.score


def _pass(search: _Search, operator: Any, argument: Any) -> None:
    """Go over a node that is no piece: keep what its matches must have in them."""
    if operator in (constants.MAX_REPEAT, constants.MIN_REPEAT) and argument[0] > 0:
        fewest = _repeated(argument[2], min(argument[0], _MOST_REPEATS), search.caseless)
        if fewest is not None:
            search.append(fewest)
            search.cut(fewest)
            return
        search.cut()
        search.offer(*_best(argument[2], search.caseless))
        return
    search.cut()
    if operator is constants.SUBPATTERN and not (argument[1] or argument[2]):
        search.offer(*_best(argument[3], search.caseless))
    elif operator is constants.BRANCH:
        branches = [_best(branch, search.caseless) for branch in argument[1]]
        search.offer(
            tuple(expression for expressions, _ in branches for expression in expressions),
            min(score for _, score in branches),
        )


def _exact(operator: Any, argument: Any, caseless: bool) -> _Piece | None:
    """The piece that matches exactly what a node matches; None where there is none."""
    if operator is constants.LITERAL:
        return _one_of(frozenset(chr(argument)), caseless)
    if operator is constants.IN:
        letters = _class(argument)
        return None if letters is None else _one_of(letters, caseless)
    if operator is constants.AT:
        return _Piece()
    if operator is constants.SUBPATTERN and not (argument[1] or argument[2]):
        return _sequence(argument[3], caseless)
    if operator is constants.BRANCH:
        return _branches(argument[1], caseless)
    if operator in (constants.MAX_REPEAT, constants.MIN_REPEAT) and argument[0] == argument[1] <= _MOST_REPEATS:
        return _repeated(argument[2], argument[0], caseless)
    return None


def _sequence(nodes: Sequence[Any], caseless: bool) -> _Piece | None:
    whole = _Piece()
    for operator, argument in nodes:
        piece = _exact(operator, argument, caseless)
        if piece is None:
            return None
        whole = whole + piece
    return whole


def _branches(branches: Sequence[Any], caseless: bool) -> _Piece | None:
    pieces = [_sequence(branch, caseless) for branch in branches]
    known = [piece for piece in pieces if piece is not None and piece.length]
    if len(known) < len(pieces):
        return None
    expression = "|".join(piece.expression for piece in known)
    return _Piece(f"(?:{expression})", min(p.score for p in known), max(p.length for p in known))


def _repeated(nodes: Sequence[Any], times: int, caseless: bool) -> _Piece | None:
    piece = _sequence(nodes, caseless)
    if piece is None or piece.length * times > _LONGEST:
        return None
    return _Piece(f"(?:{piece.expression}){{{times}}}", piece.score * times, piece.length * times)


def _class(items: Sequence[Any]) -> frozenset[str] | None:
    """The characters of a class; None where it has some beyond ASCII or is the rest of all characters."""
    letters: set[str] = set()
    for operator, argument in items:
        if operator is constants.LITERAL:
            letters.add(chr(argument))
        elif operator is constants.RANGE and argument[1] < ASCII_END:
            letters.update(map(chr, range(argument[0], argument[1] + 1)))
        elif operator is constants.CATEGORY and argument in _CATEGORIES:
            letters |= _CATEGORIES[argument]
        else:
            return None
    return frozenset(letters)


def _one_of(letters: frozenset[str], caseless: bool) -> _Piece | None:
    if len(letters) > _LARGEST_CLASS or any(_is_out_of_reach(letter, letters, caseless) for letter in letters):
        return None
    if caseless:
        letters = letters.union(*({letter.lower(), letter.upper()} for letter in letters))
    folded = [FOLDED[letter] for letter in FOLDED if caseless and letter in letters]
    expression = _written(sorted(letters))
    expression = f"(?:{'|'.join([expression, *folded])})" if folded else expression
    return _Piece(expression, 1 - math.log2(len(letters)) / 7, 1)


def _is_out_of_reach(letter: str, letters: frozenset[str], caseless: bool) -> bool:
    """Whether a letter may stand in JSON as an escape, or not be the only bytes that it matches."""
    if letter in '"\\' or not letter.isprintable():
        return True
    return not letter.isascii() and (caseless or len(letters) > 1)


def _written(letters: Sequence[str]) -> str:
    if len(letters) == 1:
        return re.escape(letters[0])
    runs: list[list[str]] = []
    for letter in letters:
        if runs and ord(letter) == ord(runs[-1][-1]) + 1:
            runs[-1].append(letter)
        else:
            runs.append([letter])
    written = [
        f"{re.escape(run[0])}-{re.escape(run[-1])}" if len(run) > 2 else "".join(map(re.escape, run)) for run in runs
    ]
    return f"[{''.join(written)}]"
