"""JSON text to Python values, as forgiving as the Collector's reader."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from typing import Final, NoReturn

import orjson

from pipeline.errors import Code, Rejected

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def load(raw: bytes) -> tuple[object, int]:
    """The first JSON document in `raw` and the number of strings whose text had to be mended.

    Bytes that are not UTF-8 and lone surrogate escapes become U+FFFD; what follows the document is ignored.

    Raises:
        Rejected: no JSON document stands at the start of `raw`, or it is nested too deeply.
    """
    try:
        return orjson.loads(raw), 0
    except orjson.JSONDecodeError:
        return _Lenient().load(raw)


class _Lenient:
    """Reads what orjson refuses: damaged text and trailing data. Slower, so it only runs after a refusal."""

    def __init__(self) -> None:
        self.mended = 0
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._mend_object, parse_constant=_refuse_constant, parse_float=_finite
        )

    def load(self, raw: bytes) -> tuple[object, int]:
        if raw.startswith(BOM_UTF8):
            # The Collector answers INTERNAL here, not INVALID_ARGUMENT.
            raise Rejected("the JSON body starts with a byte order mark: send it without", code=Code.INTERNAL)
        text = raw.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")
        try:
            return self._decoder.raw_decode(text)[0], self.mended
        except json.JSONDecodeError as error:
            raise _malformed(f"{error.msg} at character {error.pos}") from None
        except RecursionError:
            raise _malformed("nested too deeply") from None
        except ValueError:
            raise _malformed("a number is out of range") from None

    def _mend_object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        return {key: self._mend(value) for key, value in pairs}

    def _mend(self, value: object) -> object:
        if isinstance(value, list):
            return [self._mend(item) if isinstance(item, str) else item for item in value]
        if not isinstance(value, str):
            return value
        mended, count = _SURROGATE.subn("\ufffd", value)
        self.mended += count > 0
        return mended


def _malformed(reason: str) -> Rejected:
    return Rejected(f"the body is not JSON: {reason}", code=Code.INVALID_ARGUMENT)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError
    return number
