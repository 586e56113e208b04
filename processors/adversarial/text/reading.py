"""From a text to the ways it can be read."""

from __future__ import annotations

import unicodedata

from processors.adversarial.text.view import PLAIN, Reading, View


def read(text: str) -> Reading:
    """The views of a text and the signs met on the way.

    Args:
        text: as it came; lone surrogates are fine.
    """
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return Reading(text, [View(PLAIN, plain, 0, len(text))])


__all__ = ["read"]
