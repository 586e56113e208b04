"""What a message offers when a name is not known."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LISTED: Final = 12


def hint(word: str, known: Iterable[str], *, all_of: str = "expected one of", listed: int = _LISTED) -> str:
    """`; did you mean "x"?` where a known name is close, else `listed` of the known names, else nothing."""
    names = sorted(set(known))
    close = get_close_matches(word, names, n=1, cutoff=0.7) or get_close_matches(
        word.lower(), [name for name in names if name.lower() == word.lower()], n=1, cutoff=0
    )
    if close:
        return f'; did you mean "{close[0]}"?'
    if not names:
        return ""
    shown = ", ".join(names[:listed]) + (", ..." if len(names) > listed else "")
    return f"; {all_of} {shown}"
