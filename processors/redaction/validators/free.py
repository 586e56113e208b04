"""Free text: names, addresses, dates of birth."""

from __future__ import annotations

import re
from typing import Final

from processors.redaction.rule import Validator
from processors.redaction.validators.span import value_span, value_text

_MUNICIPALITY: Final = re.compile(r"[市区町村郡]")
_LOT: Final = re.compile(
    r"(?:[0-9]|[一二三四五六七八九十百])(?:丁目|番地|番町|番(?!目)|号(?![車線]))|[0-9][-\u2010\u2011\u2013-\u2015\u2212ー\uff0dの][0-9]|[町郷村字][0-9]{1,5}$"
)
_PROSE: Final = re.compile(r"[都道府県市区町村郡][のにはがをでもと][0-9]")


def jp_address(match: re.Match[str]) -> tuple[int, int] | None:
    """A municipality and the number of a lot, with no particle between them as in `千葉市の3-4社`."""
    text = value_text(match)
    if _PROSE.search(text) or not _MUNICIPALITY.search(text):
        return None
    span = value_span(match)
    return span if _LOT.search(text) and match.string[span[1] : span[1] + 1] != "目" else None


VALIDATORS: Final[dict[str, Validator]] = {"jp_address": jp_address}
