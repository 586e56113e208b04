"""Which triggers are looked for together.

Vectorscan skips text by what the expressions of a database have in common: a literal, a rare first character, a
repeat. What goes well together is measured: of 1,500 triggers in one database 30 MB/s, in one for each kind 220, in
these 390.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from processors.redaction.detection.syntax import constants, nodes

GUARD: Final = re.compile(r"\(\?:\^\|(?:\\\\\[[a-z]+\]\|)?\[\^((?:\\.|[^\]\\])*)\]\)")
"""What a trigger may begin with: the start of the text, or a character of a class."""

_ALONE: Final = re.compile(r"(?:\(\?:\^\|)?(?:\n|\\n)|\\A")
_CLASS: Final = re.compile(r"\[(?:\\.|[^\]\\])*\]")
_OPENED: Final = r"(?:\\?\((?:\?:)?)*"
_DIGIT_LED: Final = re.compile(rf"{_OPENED}(?:\[[0-9][^A-Za-z\]]*\]|[0-9])")
_CAPITAL_LED: Final = re.compile(rf"{_OPENED}(?:\[[^a-z\]]*[A-Z][^a-z\]]*\]|[A-Z])")
_WIDE_LED: Final = re.compile(r"\[[^\]]*a-[a-z]")
_LONG_RUN: Final = re.compile(r"\]\{(?:1[6-9]|[2-9][0-9]|[1-9][0-9]{2})[},]")
_RUN: Final = re.compile(r"\[[^\]]*\]\{[0-9]+\}")
_GAP: Final = re.compile(r"\{[0-9]+,[0-9]*\}|[\].)][*+]")
_NO_LITERAL: Final = re.compile(r"\{[0-9,]+\}|\(\?i?:|\\[A-Za-z]|\\?.[?*]|[()|?*+.^$]")
_WIDE_CLASS: Final = re.compile(r"0-9|A-Z|a-z")
_WORD_END: Final = "(?:[^A-Za-z]|$)"
_QUANTIFIERS: Final = tuple("?*+{")
_JOINT: Final = "[ _-]?"
_JOINTS: Final = (" ", "_", "-", "")
_JOINED: Final = str.maketrans("", "", " _")
_CHOICE: Final = re.compile(r"(\[ _-\]\?|\(\?:.\|.\))")
_PLAIN: Final = r"(?:\\[^0-9A-Za-z]|[^\\\[\](){}?*+.^$|])*"
_PHRASE: Final = re.compile(rf"{_PLAIN}(?:(?:\[ _-\]\?|\(\?:.\|.\)){_PLAIN}){{1,7}}")
_ESCAPED: Final = re.compile(r"\\([^0-9A-Za-z])")
_LITERAL_BYTES: Final = 3
_SPLIT_LITERAL_BYTES: Final = 4


_PIECE: Final = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.|.", re.DOTALL)
_RANGE: Final = re.compile(r"[0-9A-Za-z]-[0-9A-Za-z]")


DATABASES: Final = {
    "short": "words",
    "wide": "words",
    "caseless": "words",
    "gap": "phrases",
    "long": "phrases",
    "alone": "whole",
    "capital": "formats",
    "digit": "formats",
    "literal": "formats",
    "sign": "formats",
    "run": "runs",
}
"""The database of each kind."""


def database_of(expression: str, *, caseless: bool) -> str:
    """The name of the database in which an expression is looked for."""
    kind = kind_of(expression)
    return DATABASES["caseless" if caseless and kind == "literal" else kind]


def kind_of(expression: str) -> str:
    """What an expression begins with, or what it has in it that is rare."""
    if _is_plain(expression):
        return "literal" if len(expression) >= _LITERAL_BYTES else "sign"
    if _ALONE.match(expression):
        return "alone"
    if _RUN.fullmatch(expression):
        return "run"
    body = GUARD.sub("", expression, count=1)
    if _is_literal(body):
        return "gap" if _GAP.search(body) else "short" if expression.endswith(_WORD_END) else "literal"
    if _LONG_RUN.search(body):
        return "long"
    if _DIGIT_LED.match(body):
        return "digit"
    if _CAPITAL_LED.match(body):
        return "capital"
    return "wide" if _WIDE_LED.match(body) else "sign"


def _is_plain(expression: str) -> bool:
    """Whether an expression stands for itself; most do."""
    return expression.isascii() and expression.translate(_JOINED).isalpha()


def _is_literal(body: str) -> bool:
    """Whether an expression has a literal to look for first, in one piece or parted by a few characters."""
    bare = _NO_LITERAL.sub("\0", _CLASS.sub("\0", body))
    literals = [len(_ESCAPED.sub(r"\1", literal).encode()) for literal in bare.split("\0")]
    return max(literals) >= _LITERAL_BYTES or (sum(literals) >= _SPLIT_LITERAL_BYTES and not _WIDE_CLASS.search(body))


def seen_in_json(expression: str) -> str:
    r"""A trigger whose guard `(?:^|[^...])` also lets `\n`, `\t` and their like pass, as JSON writes them.

    The letter of such an escape stands right before what follows it. Triggers that begin with a digit or a capital
    letter have one guard, or one of few, which lets all small letters pass: with many guards they are slow together.
    """
    guard = GUARD.match(expression)
    if guard is None:
        return expression
    body, excluded = expression[guard.end() :], guard[1]
    if kind_of(expression) in ("digit", "capital") and "0-9" in excluded and "A-Z" in excluded:
        signs = _RANGE.sub("", excluded)
        return f"(?:^|[^0-9A-Z{'.' * ('.' in signs)}{'-' * ('-' in signs)}]){body}"
    return rf"(?:^|\\[bfnrt]|[^{excluded}]){body}"


def between_separators(expression: str, separator: str) -> str:
    """An expression for texts with separators around them, over which it does not reach.

    What is anchored looks for the separator; `[^...]` and `.` do not match it, but for a guard in front, and for what
    ends a word.
    """
    if _is_plain(expression):
        return expression
    guard = GUARD.match(expression)
    body = expression[guard.end() :] if guard else expression
    word = body.endswith(_WORD_END)
    body = body.removesuffix(_WORD_END)
    for anchored in ("(?:^|\n)", "(?:\n|$)"):
        body = body.replace(anchored, f"[\n{separator}]")
    written = [_kept_apart(piece, separator) for piece in _PIECE.findall(body)]
    front = guard.group().replace("(?:^|", "(?:", 1) if guard else ""
    return "".join([front, *written, "[^A-Za-z]" * word])


def _kept_apart(piece: str, separator: str) -> str:
    if piece.startswith("[^"):
        hyphen = "-" if piece.startswith("[^-") else ""
        return f"[^{hyphen}{separator}{piece[2 + len(hyphen) :]}"
    return {"^": separator, "$": separator, r"\A": separator, r"\Z": separator, ".": f"[^\n{separator}]"}.get(
        piece, piece
    )


def split(expression: str) -> list[str]:
    """Expressions that find the same together, and faster.

    A gap behind one of many words is slow, not so behind each of them. A phrase in each of its spellings takes a
    thirtieth of the time to compile.
    """
    if _PHRASE.fullmatch(expression):
        return ["".join(pieces) for pieces in product(*map(_spellings, _CHOICE.split(expression)))]
    if kind_of(expression) != "gap" or not expression.startswith("(?:") or GUARD.match(expression):
        return [expression]
    pieces = _PIECE.findall(expression)
    depth = 0
    for index, piece in enumerate(pieces):
        depth += (piece == "(") - (piece == ")")
        if not depth:
            inner, rest = "".join(pieces[3:index]), "".join(pieces[index + 1 :])
            return [expression] if rest.startswith(_QUANTIFIERS) else [part + rest for part in alternatives(inner)]
    return [expression]


def _spellings(piece: str) -> Sequence[str]:
    """What a piece of a phrase stands for: a joint, a letter in either case, or itself."""
    if piece == _JOINT:
        return _JOINTS
    return piece[3:-1].split("|") if _CHOICE.fullmatch(piece) else (piece,)


def alternatives(expression: str) -> list[str]:
    """The expressions that `|` parts at the top."""
    parts = [""]
    depth = 0
    for piece in _PIECE.findall(expression):
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def is_beyond_ascii(expression: str) -> bool:
    """Whether an expression is found in no text that is ASCII alone."""
    return not expression.isascii() and _has_wide(nodes(expression))


def _has_wide(parts: Sequence[Any]) -> bool:
    return any(_is_wide(operator, argument) for operator, argument in parts)


def _is_wide(operator: Any, argument: Any) -> bool:
    if operator is constants.LITERAL:
        return not chr(argument).isascii()
    if operator is constants.SUBPATTERN:
        return _has_wide(argument[-1])
    if operator is constants.BRANCH:
        return all(map(_has_wide, argument[1]))
    if operator is constants.IN:
        return all(kind is constants.LITERAL and not chr(code).isascii() for kind, code in argument)
    return operator is constants.MAX_REPEAT and argument[0] > 0 and _has_wide(argument[2])
