"""Writes `processors/adversarial/data/code_points.bin`: a class, one byte, for every code point up to U+E01F0.

The last one stands for all above it, too.

Made from the Unicode data of the Python that runs it; the package ships the result, since making it takes seconds.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

_DATA: Final = Path(__file__).resolve().parents[2] / "processors/adversarial/data"
_END: Final = 0xE01F1

# Reference for the two lists: Unicode 15, Default_Ignorable_Code_Point, and the bidirectional controls of UAX 9.
_INVISIBLE: Final = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202C), (0x2060, 0x206F), (0x3164, 0x3164), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0x1D173, 0x1D17A), (0xE0080, 0xE00FF),
)  # fmt: skip
_GENERIC_MARKS: Final = ((0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0),
                         (0xFE20, 0xFE2F))  # fmt: skip
_COMPOSING: Final = ((0x1161, 0x1175), (0x11A8, 0x11C2), (0x3099, 0x309A))
_FAR_EAST: Final = ((0x1100, 0x11FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x30FF), (0x3105, 0x31FF),
                    (0x3400, 0x9FFF), (0xA000, 0xA4CF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF),
                    (0x1B000, 0x1B2FF), (0x20000, 0x3FFFF))  # fmt: skip
_LOOKALIKE_SCRIPTS: Final = ((0x370, 0x3FF), (0x530, 0x58F), (0x13A0, 0x13FF), (0x1F00, 0x1FFF), (0x2C80, 0x2CFF),
                             (0xA4D0, 0xA4FF), (0xAB70, 0xABBF))  # fmt: skip
_CYRILLIC: Final = ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F))


def _within(*spans: tuple[int, int]) -> Callable[[int], bool]:
    return lambda point: any(first <= point <= last for first, last in spans)


_RANGES: Final = (
    ("t", _within((0xE0000, 0xE007F))),
    ("w", _within((0xE0100, 0xE01EF))),
    ("v", _within((0xFE00, 0xFE0F))),
    ("j", _within((0x200C, 0x200D))),
    ("b", _within((0x202D, 0x202E))),
    ("z", _within(*_INVISIBLE)),
    ("m", _within(*_GENERIC_MARKS)),
    ("M", _within(*_COMPOSING)),
)


def _letter(point: int, category: str) -> str:
    """The class of what is a letter, a mark of a script or a digit."""
    if point < 0x80:
        return "0" if category == "Nd" else "a"
    if category == "Nd":
        return "0"
    for name, spans in (("c", _CYRILLIC), ("g", _LOOKALIKE_SCRIPTS), ("k", _FAR_EAST)):
        if _within(*spans)(point):
            return name
    return "l" if unicodedata.name(chr(point), "").startswith("LATIN") else "o"


def _folded(character: str) -> str:
    """Compatibility forms: `p` where punctuation or a space comes out, else `f`."""
    after = unicodedata.normalize("NFKC", character)
    return "f" if any(unicodedata.category(part)[0] in "LMN" for part in after) else "p"


def class_of(point: int, always: frozenset[str]) -> str:
    """The class of one code point; `always` are the letters that are look-alikes in any surroundings."""
    character, category = chr(point), unicodedata.category(chr(point))
    for name, within in _RANGES:
        if within(point):
            return name
    if character in always:
        return "s"
    if not unicodedata.is_normalized("NFKC", character):
        return _folded(character)
    if character.isspace() or category in ("Cc", "Zs"):
        return " "
    return _letter(point, category) if category[0] in "LMN" else "."


def table() -> bytes:
    """All classes in order of the code points."""
    always = frozenset(yaml.safe_load((_DATA / "homoglyphs.yaml").read_text("utf-8"))["always"])
    return "".join(class_of(point, always) for point in range(_END)).encode()


if __name__ == "__main__":
    (_DATA / "code_points.bin").write_bytes(zlib.compress(table(), 9))
