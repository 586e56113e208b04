"""Free text: names, addresses, dates of birth."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from processors.redaction.knowledge.rule import Validator
from processors.redaction.knowledge.tables import read_table
from processors.redaction.knowledge.words import context_pattern
from processors.redaction.validators.span import text_before, value_span, value_text

_MUNICIPALITY: Final = re.compile(r"[市区町村郡]")
_LOT: Final = re.compile(
    r"(?:[0-9]|[一二三四五六七八九十百])(?:丁目|番地|番町|番(?!目)|号(?![車線]))"
    r"|[0-9][-\u2010\u2011\u2013-\u2015\u2212ー\uff0dの][0-9]|[町郷村字][0-9]{1,5}$"
)
_PROSE: Final = re.compile(r"[都道府県市区町村郡][のにはがをでもと][0-9]")

_YEAR_FIRST: Final = re.compile(r"(?:19|20)[0-9]{2}(?![0-9])")
_YEARS: Final = re.compile(r"(?:19|20)[0-9]{2}(?:-(?:19|20)[0-9]{2})?,")
_COPYRIGHT: Final = re.compile(r"copyright|\(c\)|\u00a9", re.IGNORECASE)
_BEFORE_INITIAL: Final = re.compile(r"(?:[A-Z][\w'\u2019.-]{0,20}|(?:^|[^A-Za-z])(?:an?|the)) \Z")
_PARTICLES: Final = ("的", "了", "着", "过", "在", "是")
_WORDS: Final = re.compile(r"[^\s'\u2019.-]+")
_GIVEN: Final = re.compile(r"[一-龠々〆ヶ]{0,3}[ぁ-ん]{0,3}|[ァ-ヺー]{2,5}")
_TWO_WORDS: Final = re.compile(
    r"[一-龠々〆ヶァ-ヺー]{1,8}[ \u3000・][一-龠々〆ヶぁ-んァ-ヺー]{1,8}|[ぁ-ん]{2,5}[ \u3000][ぁ-ん]{2,5}"
)
_STRONG_LABELS: Final = ("氏名", "名義", "患者名", "顧客名", "契約者名", "申込者名")
_LONGEST_FAMILY: Final = 4
# What parts a date from a word of birth: another number, also one that was redacted, or a paragraph.
_PARTED: Final = re.compile(r"[0-9]|<[A-Z]|\)A{4}|\n\s*\n")
_BIRTH_BEFORE: Final = 40
_BIRTH_BEHIND: Final = 16
_CHINESE_NAME: Final = 3
_KOREAN_GIVEN: Final = range(1, 3)


def jp_address(match: re.Match[str]) -> tuple[int, int] | None:
    """A municipality and the number of a lot, with no particle between them as in `千葉市の3-4社`."""
    text = value_text(match)
    if _PROSE.search(text) or not _MUNICIPALITY.search(text):
        return None
    span = value_span(match)
    return span if _LOT.search(text) and match.string[span[1] : span[1] + 1] != "目" else None


def person(match: re.Match[str]) -> tuple[int, int] | None:
    """Words in capitals, of which none is one that greets a whole team, names a field or the like."""
    words = [word.lower() for word in _WORDS.findall(value_text(match))]
    return value_span(match) if words and _names("no_names").isdisjoint(words) else None


def street(match: re.Match[str]) -> tuple[int, int] | None:
    """A house number and a street, unless the words between are those of a heading or a count."""
    value = value_text(match)
    words = [word.lower() for word in _WORDS.findall(value)]
    if _YEAR_FIRST.match(value) and _is_of_author(match):
        return None
    return value_span(match) if _names("no_streets").isdisjoint(words) else None


def _is_of_author(match: re.Match[str]) -> bool:
    """Whether a year and a name in the form of a street are a notice of copyright, or stand before a mailbox."""
    end = value_span(match)[1]
    behind = match.string[end : end + 2].lstrip()
    noticed = _COPYRIGHT.search(text_before(match, 24))
    return noticed is not None or behind.startswith("<") or _YEARS.match(value_text(match)) is not None


def titled(match: re.Match[str]) -> tuple[int, int] | None:
    """A name behind a title; `M.` behind another name or an article is an initial."""
    if match.group().startswith("M.") and _BEFORE_INITIAL.search(
        match.string, max(0, match.start() - 24), match.start()
    ):
        return None
    return person(match)


def japanese_name(match: re.Match[str]) -> tuple[int, int] | None:
    """A common family name, alone or with a given name, at the end of the text before an honorific."""
    start, end = value_span(match)
    text = match.string
    families = _names("japanese")
    for begin in range(start, end):
        if (text[begin : begin + 2] in families or text[begin] in families or text[begin : begin + 3] in families) and (
            _is_japanese(text[begin:end])
        ):
            return begin, end
    return None


def date_of_birth(match: re.Match[str]) -> tuple[int, int] | None:
    """A date beside a word of birth, with no other date or number between them, redacted or not."""
    words = context_pattern(("$birth",))
    start, end = value_span(match)
    before = text_before(match, _BIRTH_BEFORE)
    named = [word.end() for word in words.finditer(before)]
    if named and not _PARTED.search(before, named[-1]):
        return start, end
    after = match.string[end : end + _BIRTH_BEHIND]
    word = words.search(after)
    return (start, end) if word and not _PARTED.search(after[: word.start()]) else None


def japanese_cell(match: re.Match[str]) -> tuple[int, int] | None:
    """A common family name with a given name, or two words of kanji and kana: the cell of a table."""
    name = value_text(match)
    return value_span(match) if _is_japanese(name) or _TWO_WORDS.fullmatch(name) else None


def cjk_name(match: re.Match[str]) -> tuple[int, int] | None:
    """A Japanese, Korean or Chinese name of a common family, given name included."""
    name = value_text(match)
    japanese = len(name) > 2 and _is_japanese(name)
    chinese = len(name) == _CHINESE_NAME and name[0] in _names("chinese") and name not in _names("chinese_others")
    return value_span(match) if japanese or chinese else korean_name(match)


def japanese_label(match: re.Match[str]) -> tuple[int, int] | None:
    """What stands behind a label such as `氏名`, unless it says what to fill in."""
    name = value_text(match)
    if name.isascii():
        return person(match)
    if _is_japanese(name) or _TWO_WORDS.fullmatch(name):
        return value_span(match)
    strong = any(word in match.group() for word in _STRONG_LABELS)
    return value_span(match) if strong and name not in _names("japanese_others") else None


def korean_name(match: re.Match[str]) -> tuple[int, int] | None:
    """A common family name with one or two syllables behind it."""
    name = value_text(match)
    if name in _names("korean_others"):
        return None
    family = name[:2] if name[:2] in _names("korean") else name[:1]
    given = name[len(family) :].lstrip()
    return value_span(match) if family in _names("korean") and len(given) in _KOREAN_GIVEN else None


def chinese_name(match: re.Match[str]) -> tuple[int, int] | None:
    """A common family name, alone or with one or two characters behind it, at the start of the text."""
    start, end = value_span(match)
    name = match.string[start:end]
    if any(name.startswith(word) for word in _names("chinese_others")) or name[-1:] in _PARTICLES:
        return None
    return (start, end) if name[:1] in _names("chinese") or name[:2] in _names("chinese") else None


def _is_japanese(name: str) -> bool:
    compact = name.replace("\u3000", " ")
    if compact in _names("japanese_others"):
        return False
    for size in range(1, min(_LONGEST_FAMILY, len(compact)) + 1):
        given = compact[size:].lstrip(" ")
        if compact[:size] in _names("japanese") and _GIVEN.fullmatch(given):
            return True
    return False


@cache
def _names(kind: str) -> frozenset[str]:
    return frozenset(read_table("names.yaml")[kind].split())


VALIDATORS: Final[dict[str, Validator]] = {
    "chinese_name": chinese_name,
    "cjk_name": cjk_name,
    "date_of_birth": date_of_birth,
    "japanese_cell": japanese_cell,
    "japanese_label": japanese_label,
    "japanese_name": japanese_name,
    "jp_address": jp_address,
    "korean_name": korean_name,
    "person": person,
    "street": street,
    "titled": titled,
}
