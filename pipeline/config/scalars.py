"""What an unquoted YAML scalar means: go-yaml v3's rules, which are YAML 1.2's with Go's integers.

`yes` and `on` are text, `0123` and `0o123` are octal, `0x1f` and `0b101` work, `_` may group digits.
Source: gopkg.in/yaml.v3 resolve.go, Go's strconv.ParseInt with base 0.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipeline.config.tree import ScalarValue

_WORDS: Final[dict[str, ScalarValue]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_LONGEST_NUMBER: Final = 400
_MIN_INT64, _MAX_UINT64 = -(2**63), 2**64 - 1


def resolve(text: str) -> ScalarValue:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789" and len(text) <= _LONGEST_NUMBER:
        number = _number(text.replace("_", ""))
        return text if number is None else number
    return text


def _number(text: str) -> int | float | None:
    if match := _INTEGER.fullmatch(text):
        base = match.lastgroup or "dec"
        value = int(match["sign"] + match[base], _BASES[base])
        if _MIN_INT64 <= value <= _MAX_UINT64:
            return value
    return float(text) if _FLOAT.fullmatch(text) else None
