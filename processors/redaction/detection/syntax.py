"""Reads expressions with Python's parser, to tell what any match of them must look like."""

from __future__ import annotations

import re
import warnings

# Without stubs; the parser has been in the standard library since its beginning under another name.
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Final

constants: Final[Any] = _constants
"""The kinds of nodes."""

ASCII_END: Final = 0x80

FOLDED: Final = {"k": "\u212a", "s": "\u017f"}
"""Letters that are the same as one beyond ASCII where case does not matter: KELVIN SIGN, LATIN SMALL LETTER LONG S."""

_READ_DIFFERENTLY: Final = re.compile(r"\[:|\\[pPQECzZ]|\\x\{|\{,|\(\?[a-z]*U")


def nodes(source: str) -> Any:
    """The nodes of an expression of ours. Raises `re.error` where it is none."""
    return _parser.parse(source)


def parse(source: str) -> Any:
    """The nodes of an RE2 expression, their flags in `state`; None where RE2 or Python reads it in another way."""
    if _READ_DIFFERENTLY.search(source):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return nodes(source)
    except (re.error, Warning, RecursionError, OverflowError):
        return None
