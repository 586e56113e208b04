"""What stands at the end of something that was cut, and says how much is missing."""

from __future__ import annotations

import re
from typing import Final

PLACE: Final = "{bytes}"
"""Where the template of a marker has the number."""
MOST_BYTES: Final = 64
"""The longest template: limits must leave room for it."""


class Marker:
    """Marks of one template, such as `…[cut 12345 bytes]`."""

    def __init__(self, template: str) -> None:
        """Read a template with `{bytes}` in it, or without."""
        self._template = template
        before, found, behind = template.partition(PLACE)
        number = "([0-9]{1,19})" if found else "()"
        self._at_end = re.compile(f"{re.escape(before)}{number}{re.escape(behind)}$")
        self._fixed_bytes = len(template.encode()) - len(found)
        self._has_number = bool(found)

    def text(self, missing_bytes: int) -> str:
        """The mark for so many missing bytes."""
        return self._template.replace(PLACE, str(missing_bytes))

    def size_bytes(self, missing_bytes: int) -> int:
        """How long the mark is for so many missing bytes, or fewer."""
        return self._fixed_bytes + (len(str(missing_bytes)) if self._has_number else 0)

    def take_off(self, text: str) -> tuple[str, int]:
        """A text without the mark at its end, and the bytes that this says are missing."""
        tail = text[-MOST_BYTES:]
        found = self._at_end.search(tail) if tail else None
        if found is None or not self._template:
            return text, 0
        return text[: len(text) - len(tail) + found.start()], int(found.group(1) or 0)
