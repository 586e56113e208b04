"""Ways to hide a text, for tests of what finds it again."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import yaml

from processors.adversarial.tables import read_table

_DATA: Final = yaml.safe_load(Path("tests/data/adversarial/texts.yaml").read_text("utf-8"))
TEXTS: Final[dict[str, str]] = _DATA["attacks"]
HARMLESS: Final[dict[str, str]] = _DATA["harmless"]


def _bytes(form: str, between: str) -> Callable[[str], str]:
    return lambda text: between.join(form.format(value) for value in text.encode())


def _points(form: str, between: str = "") -> Callable[[str], str]:
    return lambda text: between.join(form.format(ord(letter)) for letter in text)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _lines(text: str) -> str:
    coded = _base64(text)
    return "\n".join(coded[at : at + 60] for at in range(0, len(coded), 60))


def selectors(text: str) -> str:
    """Text as variation selectors."""
    return "".join(chr(0xFE00 + value if value < 16 else 0xE0100 + value - 16) for value in text.encode())


def tags(text: str) -> str:
    """ASCII text as tag characters."""
    return "".join(chr(0xE0000 + ord(letter)) for letter in text)


DECODED: Final[dict[str, Callable[[str], str]]] = {
    "base64": _base64,
    "base64 url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 lines": _lines,
    "base64 base64": lambda text: _base64(_base64(text)),
    "base64 hex": lambda text: _base64(text.encode().hex()),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex spaced": _bytes("{:02x}", " "),
    "hex colons": _bytes("{:02X}", ":"),
    "hex 0x": _bytes("0x{:02x}", ", "),
    "hex backslash": _bytes("\\x{:02x}", ""),
    "percent": quote,
    "percent all": _bytes("%{:02X}", ""),
    "unicode_escape": _points("\\u{:04x}"),
    "unicode_escape braces": _points("\\u{{{:x}}}"),
    "unicode_escape U+": _points("U+{:04X}", " "),
    "entity": _points("&#{};"),
    "entity hex": _points("&#x{:x};"),
    "binary": _bytes("{:08b}", " "),
    "binary run": _bytes("{:08b}", ""),
    "decimal": _bytes("{}", " "),
    "variation_selector": lambda text: "\U0001f600" + selectors(text),
    "reversed": lambda text: text[::-1],
    "spaced": " ".join,
    "spaced dots": ".".join,
    "spaced dashes": "-".join,
    "spaced underscores": "_".join,
    "spaced stars": "*".join,
    "spaced lines": "\n".join,
    "spaced pipes": " | ".join,
}
"""By the view that reads it; of all languages."""

ASCII_DECODED: Final[dict[str, Callable[[str], str]]] = {
    "tag": tags,
    "base64 utf-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "leet": lambda text: text.lower().translate(str.maketrans("aeiostlgb", "431057|98")),
    "leet with ones": lambda text: text.lower().translate(str.maketrans("aeiostlgb", "431057198")),
    "morse": lambda text: " / ".join(
        " ".join(read_table("spelling.yaml")["morse"][letter] for letter in word) for word in text.lower().split()
    ),
    "accents": lambda text: text.translate(str.maketrans("aeiousn", "\u00e4\u00eb\u00ef\u00f6\u00fc\u0161\u00f1")),
    "percent plus": lambda text: quote_plus(text.replace("a", "%61")).replace("%2561", "%61"),
}
"""Of texts in Latin letters."""

FOLDED: Final[dict[str, Callable[[str], str]]] = {
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "zalgo": lambda text: "".join(letter + "\u0334\u0327" if letter.isalpha() else letter for letter in text),
    "mixed case": lambda text: "".join(letter.upper() if at % 2 else letter.lower() for at, letter in enumerate(text)),
}
"""What the plain view reads; of all languages."""


def _shifted(first: str) -> Callable[[str], str]:
    return lambda text: "".join(
        chr(ord(first) + ord(letter) - ord("a")) if "a" <= letter <= "z" else letter for letter in text.lower()
    )


ASCII_FOLDED: Final[dict[str, Callable[[str], str]]] = {
    "full width": lambda text: "".join(chr(ord(letter) + 0xFEE0) if letter != " " else "\u3000" for letter in text),
    "bold": _shifted("\U0001d41a"),
    "script": _shifted("\U0001d4ea"),
    "monospace": _shifted("\U0001d68a"),
    "circled": _shifted("\u24d0"),
    "negative circled": _shifted("\U0001f150"),
    "squared": _shifted("\U0001f130"),
    "regional": _shifted("\U0001f1e6"),
    "small capitals": lambda text: text.lower().translate(
        str.maketrans(
            "abcdefghijklmnoprstuvwyz",
            "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22",
        )
    ),
    "cyrillic": lambda text: text.translate(
        str.maketrans("aeopcisAEOPCT", "\u0430\u0435\u043e\u0440\u0441\u0456\u0455\u0410\u0415\u041e\u0420\u0421\u0422")
    ),
    "greek": lambda text: text.translate(str.maketrans("ovIA", "\u03bf\u03bd\u0399\u0391")),
}
"""What the plain view reads; of texts in Latin letters."""
