"""A text without what hides it: steps 2 to 7 of the normalisation, in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from processors.adversarial.text.code_points import classes
from processors.adversarial.text.folding import cased, compatible, in_latin, without_stacks
from processors.adversarial.text.hidden import Hidden, Seen, uncovered
from processors.adversarial.text.view import SIGN_COUNT

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_AS_IT_IS: Final = b"al0ok. "
"""Classes of what stays; look-alikes of Latin letters, too, where there are none of those."""
_CASED: Final = b"lcgomMfs"
_LONG: Final = 1000


@dataclass(slots=True)
class Plain:
    """A text without what hides it.

    Attributes:
        text: before case-folding, as decoders need it.
        folded: case-folded.
        kinds: `classes(text)`; None for ASCII.
        hidden: the texts that were hidden in it.
        turned: it has overrides of the direction.
    """

    text: str
    folded: str
    kinds: bytes | None = None
    hidden: list[Hidden] = field(default_factory=list)
    turned: bool = False


def plain(text: str, signs: list[int]) -> Plain:
    """Normalise a text; counts what that changed in `signs`."""
    if text.isascii():
        return Plain(text, text.casefold())
    text = _encodable(text)
    kinds = classes(text)
    changing = kinds.translate(None, _AS_IT_IS)
    if not changing:
        return Plain(text, _folded(text, kinds), kinds)
    seen = uncovered(text, kinds, signs) if changing.strip(b"pfmMscg") else Seen(text, kinds, [])
    shown, kinds = compatible(seen.text, seen.kinds, signs)
    if b"m" in kinds:
        shown, kinds = without_stacks(shown, kinds, signs)
    latin = in_latin(shown, kinds, signs)
    if latin is not shown:
        shown, kinds = latin, classes(latin)
    return Plain(shown, _folded(shown, kinds), kinds, seen.hidden, seen.turned)


def _folded(text: str, kinds: bytes) -> str:
    """Case-folded; by bytes where a long text has capital letters in ASCII alone."""
    if len(text) < _LONG or len(kinds.translate(None, _CASED)) < len(kinds):
        return cased(text)
    return text.encode().lower().decode()


def _encodable(text: str) -> str:
    """A text with a replacement character for every lone surrogate."""
    try:
        text.encode("utf-32-le")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def fold(text: str) -> str:
    """A text as the plain view of it reads; for what is to be found in plain views."""
    return plain(text, [0] * SIGN_COUNT).folded


__all__ = ["Plain", "fold", "plain"]
