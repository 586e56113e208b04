"""Signs that are in the wording or the markup: template tokens, faked turns, hidden markup, links, many shots."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final

from processors.adversarial.tables import read_table
from processors.adversarial.text.view import Sign

_TOKEN: Final = re.compile(
    r"<(?:\|[a-z0-9_/\u2581][a-z0-9_/\u2581 -]{1,39}\|>|/?\|?(?:im|header|message|channel)_(?:start|end|id)\|?>)"
)
_ROLE: Final = re.compile(r"""role\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?(?:system|developer|assistant|tool)\b""")
_SYSTEM_NAMES: Final = ("system", "\u30b7\u30b9\u30c6\u30e0", "\u7cfb\u7edf")
_BEFORE_SYSTEM: Final = re.compile(
    r"(?:<|\[|\u3010|begin_of_|\*\*|#{1,4} ?|[-=~_#*]{3} ?(?:begin |start |new |end )?(?:of )?)$"
)
_AFTER_SYSTEM: Final = re.compile(
    r"(?:_[a-z_]{2,20})?>|(?:[ _](?:message|prompt|override|note|notice))?\]|[^\u3011\n]{0,12}\u3011|_message|_prompt"
    r"|(?: [a-z]{1,14}){0,2}\*{0,2}:?\*{0,2}\n|[^\n]{0,24}[-=~_#*]{3}"
)
_MOST_SYSTEMS: Final = 32
_ADDRESS: Final = re.compile(r"@([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4})")
_TURN: Final = re.compile(
    r"\n[ \t>*#_\-\[(<|=]{0,8}+([^\W\d_]{1,14}+)(?: (?:message|prompt|\d{1,3}))?[ \t\d.\])>|*_]{0,4}:"
)
_LONGEST_TURN: Final = 33
"""Characters from the end of a line to the colon."""
_AROUND_NAME: Final = " \t>*#_-[(<|=.])0123456789"
_BEHIND_NAME: Final = (" message", " prompt")
_WIDEST_TURN: Final = 40
"""Characters that `_TURN` matches, at most."""
_MOST_TURNS: Final = 2000
_FEW_COLONS: Final = 64
_NOT_SHOWN: Final = re.compile("<(?:noscript|template)")
_MOST_STYLES: Final = 32
_LONGEST_STYLE: Final = 240
_LONGEST_WORD: Final = 16
_MOST_COMMENTS: Final = 64
_LONGEST_COMMENT: Final = 4000
_PROSE: Final = re.compile(r"[^\W\d_]{2,} [^\W\d_]+ [^\W\d_]+")
_CLOSING: Final = re.compile(r"</([a-z_]{3,24})\s{0,3}>")
_MOST_LINKS: Final = 64
_HOST: Final = re.compile(r"[^\s/?#\"'<>()\[\]{},;`|\\]{3,120}")
_LINK: Final = re.compile(r"[^\s\"'`|\\]{3,400}")
_PLACEHOLDER: Final = re.compile(r"=[\[<{$%(]{1,2}[a-z0-9_ .-]{2,40}[\]>})%]")
_IMAGE: Final = re.compile(r"!\[[^\]\n]{0,120}\]\(\s{0,2}<?https?://$|<img[^<>]{0,120}src\s?=\s?[\"']?https?://$")
_IPV4: Final = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?$|0x[0-9a-f]{8}$|\d{8,10}$")
_NUMERIC_PRIVATE: Final = ("127.", "10.", "192.168.", "0.0.0.0", "172.1", "172.2", "172.3")
_REPETITION_FROM: Final = 1000
_PREFIX: Final = 4096
_PROBE: Final = 8
_RATIO: Final = 0.1
_TAIL: Final = 200
_LEAST_HEAD: Final = 24
_ODD: Final = re.compile(
    r"[^\W\d_]([\]\[){}\\!*?;+<>#$%^&|]{1,4})[^\W\d_]|[a-z]{2}([A-Z])[a-z]|([\]\[){}\\*+=<>#$%^&|]{3})"
    r"|(\]\()(?!http|#|/|\.)|(\\!)|([\"'][!?;][\"'\w])"
)
_ODD_MARKS: Final = b"][){}\\!*?;+<>#$%^&|"
_LEAST_SORTS: Final = 3


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = read_table("signs.yaml")
    return {
        **table,
        "turns": {name: kind for kind, names in table["turns"].items() for name in names},
        "wrappers": frozenset(table["wrappers"]),
        "hosts": frozenset(table["hosts"]),
    }


def count_signs(text: str, signs: list[int]) -> None:
    """Count the signs in a case-folded text into `signs`."""
    if "<" in text or "[" in text or "#" in text:
        _templates(text, signs)
    if "role" in text:
        signs[Sign.ROLE_JSON] += len(_ROLE.findall(text))
    if ":" in text:
        _turns(text, signs)
        if "://" in text:
            _links(text, signs)
    if "@" in text:
        hosts = (match[1] for match in islice(_ADDRESS.finditer(text), _MOST_LINKS))
        signs[Sign.SUSPICIOUS_HOST] += sum(_is_suspicious(host, host) for host in hosts)
    for name in _SYSTEM_NAMES:
        if name in text:
            signs[Sign.FAKE_TURN] += _system_headers(text, name)
    if "<" in text or "\\" in text or ("]" in text and "]:" in text):
        _markup(text, signs)


def count_shape_signs(original: str, signs: list[int]) -> None:
    """Count the signs in how the original looks: repetition, and a tail unlike the rest."""
    if len(original) >= _REPETITION_FROM:
        signs[Sign.REPETITION] += _repetition(original)
    if len(original) >= _LEAST_HEAD:
        signs[Sign.SUFFIX] += _suffix(original)


@cache
def _template_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The literals by what they begin with, since a pattern that begins with a literal is searched fast."""
    literals = _table()["chat_template"]
    return tuple(
        (first, re.compile(f"{re.escape(first)}(?:{'|'.join(re.escape(one[len(first) :]) for one in some)})"))
        for first in ("<", "[", "### ")
        for some in [[one for one in literals if one.startswith(first)]]
    )


def _templates(text: str, signs: list[int]) -> None:
    count = len(_TOKEN.findall(text)) if "<" in text else 0
    for first, pattern in _template_patterns():
        if first in text:
            count += len(pattern.findall(text))
    signs[Sign.CHAT_TEMPLATE] += count


def _turns(text: str, signs: list[int]) -> None:
    kinds = _table()["turns"]
    names = [
        kinds[match[1]]
        for match in _before_colons("\n" + text, kinds)
        if match[1] in kinds and match.end() - match.start() <= _LONGEST_TURN
    ]
    if "assistant:" in text and "assistant" not in names:
        names += ["assistant"] * text.count("assistant:")
    if not names:
        return
    found = Counter(names)
    signs[Sign.FAKE_TURN] += found["system"] + found["assistant"]
    pairs = max(min(found["user"], found["assistant"]), min(found["question"], found["answer"]))
    signs[Sign.MANY_SHOT] += pairs if pairs >= 3 else 0


def _before_colons(text: str, kinds: dict[str, str]) -> list[re.Match[str]]:
    """What `_TURN` matches; by the colons where they are few, and then less of what has no name of `kinds`."""
    found: list[re.Match[str]] = []
    at = text.find(":")
    for _ in range(_FEW_COLONS):
        if at < 0:
            return found
        start = text.rfind("\n", max(0, at - _WIDEST_TURN), at)
        if start >= 0 and _may_be_name(text[start + 1 : at].strip(_AROUND_NAME), kinds):
            match = _TURN.match(text, start)
            if match is not None and match.end() == at + 1:
                found.append(match)
        at = text.find(":", at + 1)
    return list(islice(_TURN.finditer(text), _MOST_TURNS))


def _may_be_name(said: str, kinds: dict[str, str]) -> bool:
    return said in kinds or not said.isascii() or said.endswith(_BEHIND_NAME)


def _system_headers(text: str, name: str) -> int:
    """How often the name stands as a header or a tag."""
    count, at = 0, text.find(name)
    for _ in range(_MOST_SYSTEMS):
        if at < 0:
            break
        end = at + len(name)
        if _BEFORE_SYSTEM.search(text[max(0, at - 16) : at]) and _AFTER_SYSTEM.match(text, end):
            count += 1
        at = text.find(name, end)
    return count


def _markup(text: str, signs: list[int]) -> None:
    if "</" in text:
        signs[Sign.CLOSING_TAG] += _unopened(text)
    count = sum(_PROSE.search(comment) is not None for comment in _comments(text)) if "<!--" in text else 0
    for mark, gates in _table()["hidden_styles"].items():
        if mark in text:
            count += sum(_styles(text, gate, styles) for gate, styles in gates.items() if gate in text)
    signs[Sign.HIDDEN_MARKUP] += count + (len(_NOT_SHOWN.findall(text)) if "</" in text else 0)


def _styles(text: str, gate: str, styles: list[str]) -> int:
    """How many of the places with the word that announces a style hide something."""
    count, at = 0, text.find(gate)
    for _ in range(_MOST_STYLES):
        if at < 0:
            break
        around = text[max(0, at - _LONGEST_WORD) : at + _LONGEST_STYLE]
        hides = any(style in around for style in styles)
        count += hides
        at = text.find(gate, at + (_LONGEST_STYLE if hides else len(gate)))
    return count


def _comments(text: str) -> Iterator[str]:
    at = text.find("<!--")
    for _ in range(_MOST_COMMENTS):
        if at < 0:
            return
        end = text.find("-->", at, at + _LONGEST_COMMENT)
        if end > 0:
            yield text[at:end]
        at = text.find("<!--", max(end, at + 4))


def _unopened(text: str) -> int:
    """Closing tags of wrappers that nothing opens before them."""
    wrappers = _table()["wrappers"]
    names = Counter(name for name in _CLOSING.findall(text) if name in wrappers)
    return sum(max(0, count - text.count("<" + name)) for name, count in names.items())


def _links(text: str, signs: list[int]) -> None:
    at = text.find("://")
    for _ in range(_MOST_LINKS):
        if at < 0:
            return
        link = _LINK.match(text, at + 3)
        if link is not None:
            _link(text, at, link.group(), signs)
        at = text.find("://", at + 3)


def _link(text: str, at: int, link: str, signs: list[int]) -> None:
    host = _HOST.match(link)
    if host is not None and _is_suspicious(host.group(), link):
        signs[Sign.SUSPICIOUS_HOST] += 1
    if "?" not in link and "=" not in link:
        return
    is_image = _IMAGE.search(text[max(0, at - 160) : at + 3]) is not None
    query = link[link.find("?") :]
    has_slot = query.endswith(("=", "=)", "=`", "=>")) or any(slot in query for slot in _table()["slots"])
    signs[Sign.LINK_QUERY_SLOT] += is_image + (has_slot or _PLACEHOLDER.search(query) is not None)


def _is_suspicious(host: str, link: str) -> bool:
    table = _table()
    host = host.rpartition("@")[2]
    if any(address in host for address in table["metadata_addresses"]) or link.startswith(tuple(table["paths"])):
        return True
    if _IPV4.match(host):
        return not host.startswith(_NUMERIC_PRIVATE)
    if any(word in host for word in table["host_words"]):
        return True
    labels = host.split(":")[0].rstrip(".").split(".")
    return any(".".join(labels[count:]) in table["hosts"] for count in range(max(0, len(labels) - 4), len(labels)))


def _repetition(text: str) -> int:
    """How many times smaller the text gets by compression, where that is ten times and more."""
    middle = len(text) // 2
    if text.count(text[middle : middle + _PROBE]) * 100 < len(text):
        return 0
    data = text[:_PREFIX].encode("utf-8", "surrogatepass")
    ratio = len(zlib.compress(data, 1)) / len(data)
    return int(1 / ratio) if ratio < _RATIO else 0


def _suffix(text: str) -> int:
    """Odd joints in the tail, where the rest has next to none."""
    tail = text[-_TAIL:] if len(text) > 2 * _TAIL else text[len(text) // 2 :]
    letters = tail.encode("ascii", "ignore")
    marks = len(letters) - len(letters.translate(None, _ODD_MARKS))
    if marks * 20 < len(tail) or "://" in tail:
        return 0
    odd = ["".join(groups) for groups in _ODD.findall(tail)]
    sorts = {mark if not mark.isalpha() else "A" for mark in odd}
    head = text[: len(text) - len(tail)][-4 * _TAIL :]
    if len(sorts) < _LEAST_SORTS or len(_ODD.findall(head)) * len(tail) * 3 > len(odd) * max(1, len(head)):
        return 0
    return len(odd)


__all__ = ["count_shape_signs", "count_signs"]
