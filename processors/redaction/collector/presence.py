"""Which of several RE2 expressions can match in each of several texts, told by one scan.

RE2 says exactly where an expression matches, but takes them one by one, text by text. Vectorscan takes all at once;
each expression is widened for it to one that is found in the bytes of every text in which RE2 finds a match.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from processors.redaction.detection.syntax import ASCII_END, FOLDED, constants, parse
from processors.redaction.detection.triggers import SEPARATOR, Trigger
from processors.redaction.detection.windows import WINDOW_CHARS, lots_of

if TYPE_CHECKING:
    from processors.redaction.detection.vectorscan import VectorscanEngine

# An expression that is found all over such a text costs more here than in RE2.
_SAMPLE: Final = '{"id": "Req_2024-05-06", "text": "The quick brown fox jumps over 13 lazy dogs; then it rests."}'
_MOST_IN_SAMPLE: Final = 4

_ANY: Final = r"[\x00-\xff]{1,4}"
_ANY_IN_LINE: Final = r"[^\n]{1,4}"
_NOT_ASCII: Final = r"[\x80-\xff]{1,4}"
_CLASS: Final = re.compile(r"\[[^\[\]]*\]")
_MOST_REPEATS: Final = 64
_REPEATS: Final = (constants.MAX_REPEAT, constants.MIN_REPEAT)
_CATEGORIES: Final = {
    constants.CATEGORY_DIGIT: "0-9",
    constants.CATEGORY_WORD: "0-9A-Za-z_",
    constants.CATEGORY_SPACE: r"\t-\r ",
}
_NEGATED: Final = (constants.CATEGORY_NOT_DIGIT, constants.CATEGORY_NOT_WORD, constants.CATEGORY_NOT_SPACE)


class _Unknown(Exception):  # noqa: N818 - an answer, not a mistake
    """An expression of which nothing is known."""


class Presence:
    """Tells which expressions are worth running. Safe to use from several threads.

    Attributes:
        always: numbers of the expressions that may match anything.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        """Widen and compile RE2 expressions, which are known by their place in `sources`."""
        self.always: frozenset[int] = frozenset(range(len(sources)))
        self._engine: VectorscanEngine | None = None
        self._numbers: list[int] = []
        try:
            from processors.redaction.detection.vectorscan import VectorscanEngine, count_in  # noqa: PLC0415 - optional
        except ImportError:
            return
        widened = {number: text for number, source in enumerate(sources) if (text := widen(source)) is not None}
        self._numbers = [number for number, text in widened.items() if count_in(text, _SAMPLE) <= _MOST_IN_SAMPLE]
        self.always -= set(self._numbers)
        if self._numbers:
            self._engine = VectorscanEngine([Trigger(widened[number]) for number in self._numbers])

    def possible(self, texts: Sequence[str]) -> dict[str, set[int]]:
        """Those texts in which some expression can match, with its number; what is in `always` is not among them."""
        found: defaultdict[str, set[int]] = defaultdict(set)
        if self._engine is not None:
            for lot in lots_of(texts):
                some = texts[lot.start : lot.stop]
                if len(some[0]) > WINDOW_CHARS:
                    found[some[0]].update(self._numbers)
                    continue
                # An expression may ask for the very character that keeps texts apart.
                for text in [text for text in some if SEPARATOR in text]:
                    found[text].update(self._numbers)
                for index, number in self._engine.owners(some, SEPARATOR.join(some)):
                    found[some[index]].add(self._numbers[number])
        return found


def widen(source: str) -> str | None:
    """An expression for bytes that is found wherever RE2 finds `source` in a text; None where none is known."""
    tree = parse(source)
    if tree is None:
        return None
    try:
        return _sequence(_trimmed(list(tree)), tree.state.flags) or None
    except (RecursionError, _Unknown):
        return None


def _trimmed(nodes: list[Any]) -> list[Any]:
    """Repeats at either end as short as they may be: where something is found is enough, not how far it goes."""
    for end in (0, -1):
        while nodes and nodes[end][0] in _REPEATS and nodes[end][1][0] == 0:
            del nodes[end]
        if nodes and nodes[end][0] in _REPEATS:
            operator, (fewest, _, inner) = nodes[end]
            nodes[end] = (operator, (fewest, fewest, inner))
    return nodes


def _sequence(nodes: Sequence[Any], flags: int) -> str:
    return "".join([_node(operator, argument, flags) for operator, argument in nodes])


def _node(operator: Any, argument: Any, flags: int) -> str:
    if operator is constants.LITERAL:
        return _literal(argument, flags)
    if operator is constants.NOT_LITERAL:
        return _class([(constants.NEGATE, None), (constants.LITERAL, argument)], flags)
    if operator is constants.ANY:
        return _ANY if flags & re.DOTALL else _ANY_IN_LINE
    if operator is constants.IN:
        return _class(argument, flags)
    if operator is constants.AT:
        return ""
    if operator is constants.SUBPATTERN:
        _, added, removed, inner = argument
        return f"(?:{_sequence(inner, (flags | added) & ~removed)})"
    if operator is constants.BRANCH:
        return f"(?:{'|'.join([_sequence(branch, flags) for branch in argument[1]])})"
    if operator in _REPEATS:
        return _repeat(argument, flags)
    raise _Unknown


def _literal(code: int, flags: int) -> str:
    letter = chr(code)
    if not flags & re.IGNORECASE or letter.lower() == letter.upper():
        return re.escape(letter) if code < ASCII_END else f"(?:{letter})"
    if code >= ASCII_END:
        return _ANY
    either = f"[{letter.lower()}{letter.upper()}]"
    return f"(?:{either}|{_NOT_ASCII})" if letter.lower() in FOLDED else either


def _class(items: Sequence[Any], flags: int) -> str:
    """A class; beyond ASCII, and for the rest of all characters, any character that may be meant."""
    negated = items[0][0] is constants.NEGATE
    members = [_member(item) for item in items[negated:]]
    if negated:
        # A letter that is not excluded in both cases is let pass, and more is let pass than in RE2.
        exact = None not in members and not flags & re.IGNORECASE
        return f"[^{''.join(filter(None, members))}]{{1,4}}" if exact else _ANY
    if None in members:
        return _ANY
    inside = "".join(filter(None, members))
    if flags & re.IGNORECASE:
        return f"(?:(?i:[{inside}])|{_NOT_ASCII})"
    return f"[{inside}]"


def _member(item: Any) -> str | None:
    """A part of a class as it is written in one; None where it has characters beyond ASCII."""
    operator, argument = item
    if operator is constants.LITERAL and argument < ASCII_END:
        return _written(argument)
    if operator is constants.RANGE and argument[1] < ASCII_END:
        return f"{_written(argument[0])}-{_written(argument[1])}"
    if operator is constants.CATEGORY and argument not in _NEGATED:
        return _CATEGORIES[argument]
    return None


def _written(code: int) -> str:
    return chr(code) if chr(code).isalnum() else f"\\x{code:02x}"


def _repeat(argument: tuple[int, Any, Sequence[Any]], flags: int) -> str:
    fewest, most, inner = argument
    low = min(fewest, _MOST_REPEATS)
    high = "" if most is constants.MAXREPEAT or most > _MOST_REPEATS else most
    written = _sequence(inner, flags)
    atom = written if len(inner) == 1 and _CLASS.fullmatch(written) else f"(?:{written})"
    return f"{atom}{{{low}}}" if low == high else f"{atom}{{{low},{high}}}"
