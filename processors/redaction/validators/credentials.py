"""Secrets and passwords that only their key word shows: `DB_PASSWORD=...`, `"api_key": "..."`, パスワードは「...」."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from processors.redaction.knowledge.rule import Validator
from processors.redaction.knowledge.words import words_of
from processors.redaction.validators.looks import (
    is_hex,
    is_identifier,
    is_mixed,
    is_random,
    is_stand_in,
    is_uuid,
    without_technical,
)


class Value(NamedTuple):
    """What stands behind a key word, and how it is written.

    Attributes:
        link: the group of `_LINK` that leads to it.
        tail_end: where the name ends.
    """

    start: int
    end: int
    text: str
    quoted: bool
    link: str
    tail_end: int


# From a key word to its value: the rest of the name, what closes around the name, and one of the ways to say "is".
_LINK: Final = re.compile(
    r"""
    (?P<tail>[\w-]{0,48})
    (?:["'`\])*」』]|&quot;|&\#3[49];|[ ]\)){0,4}
    (?:
      (?P<field>(?:[ ]?,\s{0,24}|\s{1,24})["']?value["']?[ ]?[:=]\s{0,4}
          (?:\{\s{0,8}["']?string_?value["']?[ ]?:\s{0,4})?
        | \.value[ ]?[:=][ ]? | [ ]{1,4}--(?:value|secret-string|body|data)[ =]
        | [ ]?\{\s{1,12}(?:type\s{1,12}=\s{1,4}\w{1,12}\s{1,12})?default\s{1,12}=\s{1,4})
    | (?P<pair>[ ]{0,3},\s{0,8}(?=["'`]) | ,(?=[^\s,"']) | [ \t]{0,24}\|[ \t]{0,8} | \t)
    | (?P<markup>\s{0,2}>\s{0,8})
    | (?P<operator>
        (?:[ ]?,[ ]?\w{1,12})?
        \s{0,24}(?:[:=]{1,3}>?|[-=~]>|[?|+!]{1,2}=|\uff1a|\uff1d|←|<-)(?:[*_`]{1,2}(?=\s))?\s{0,12}
        (?:[|>][+-]?[ ]?\n\s{1,16})?
        (?:[&*]?[A-Za-z][\w.]{1,24}(?:\[\w{1,12}\])?\??[ ]?=[ ]?(?=["'`]))?
        (?:[\w.]{1,32}[\[(][ ]?["'][\w.-]{1,48}["'][ ]?(?:,[ ]?|[\])][ ]?(?:or|\|\||\?\?|\?:)[ ]?)(?=["']))?
      )
    | (?P<fallback>[ ]?(?:or|\|\||\?\?|\?:)[ ]?(?=["']))
    | (?P<words>(?:,?[ ](?!\d)[\w'/-]{1,20}){0,6}?(?:[ ](?:VERBS)(?![\w-])[ ]?[:\uff1a]?
        |[ ]?[:\uff1a→⇒]|[ ]=|[ ]\(|[ ][\u2013\u2014-](?=[ ]))[ ]?(?=\S))
    | (?P<particle>[ ]?(?:の値は|は|が|を|に|も|는|은|이|가|를|是|为|為)[ ]?[:\uff1a]?[ ]?)
    | (?P<space>[ ]{1,8}(?=\S)|(?=[「『“]))
    )
    """.replace("VERBS", "|".join(re.escape(verb) for verb in words_of(["$verbs"]))),
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_QUOTED: Final = re.compile(
    r"(?P<quote>\"{1,3}|'{1,3}|`{1,3}|&quot;|&#3[49];)(?P<value>(?![\"'`])[^\n]{1,4096}?)(?P=quote)|[「『“\u2018«](?P<cjk>[^\n」』”\u2019»]{1,256})[」』”\u2019»]"
)
_OPENING: Final = re.compile(r"(?:[bruf@$L]{0,2}[\"'`]{1,3}|&quot;|&#3[49];|[「『“\u2018«(\[*<]|<!\[CDATA\[)?")
_BARE: Final = re.compile(r"[!#$%&*+./0-9:=?@A-Z^_a-z~-]+")
# Few `=` stand in a secret: what goes on behind many of them is a list of assignments.
_BARE_SECRET: Final = re.compile(r"[!#$%&*+./0-9:?@A-Z^_a-z~-]+(?:={1,2}[!#$%&*+./0-9:?@A-Z^_a-z~-]+){0,4}={0,2}")
_BARE_END: Final = re.compile(
    r"&[A-Za-z_][\w.-]{0,30}=|&(?:quot|[lg]t|amp|apos|#[0-9]{2});|[.:*]+\Z|/(?:id|pw|pwd|user)[:=]|@[0-9a-z.-]{1,64}\.[a-z]{2,10}[/:]",
    re.IGNORECASE,
)
_QUOTES: Final = 6
_QUERY_END: Final = re.compile(r"[&#]")
_IN_QUERY: Final = re.compile(r"(?:[?&]|&amp;)[\w.\[\]-]*\Z")
_CODE_BEHIND: Final = ("(", "[", "{")
REFERENCE: Final = re.compile(
    r"\$[A-Za-z_]+[0-9]?|\$[{(].*|%[A-Za-z_]+%?|%s:%s|@[a-z_.]+|![A-Za-z]+|env[.:]\w+|vault:.*|arn:.*"
    r"|(?:file|https?)://.*|[.~]?/?[\w.-]*/[\w./-]+\.\w{1,8}|[\w.-]+\.(?:pem|crt|cer|key|p12|pfx|jks|7z|zip|tar|gz|json|ya?ml|txt|md|py|js|ts|html?|com|net|org|io)"
    r"|(?:[~.]{0,2}/[a-z_][\w.-]*){2,12}/?|(?:session|order|cache|item|product|tenant)[:#/].*"
    r"|[a-z_]+(?::[\w,]+)?(?:\|[a-z_]+(?::[\w,]+)?){1,9}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*"
    # Versions, numbers in hexadecimal, formats of printing, classes of characters, hashes of passwords.
    r"|v?[0-9]+\.[0-9]+\.[0-9]+[-+][\w.+-]+|0x[0-9A-Fa-f]{1,40}|[0-9.]{1,6}(?:ms|s|m|h|d|[KMG]i?B)|[^0-9A-Za-z%\s]*(?:%[-+.0-9]{0,6}[sdifrxvq][^0-9A-Za-z%\s]*)+"
    r"|(?:a-z|A-Z|0-9|[_\W]){4,24}|\$(?:argon2(?:id|i|d)|scrypt|pbkdf2-\w{1,8})\$.*"
    r"|(?:chatcmpl|call|msg|toolu|run|thread|asst|resp|file|batch|req|cus|pi|ch|price|evt|acct|prod|org|proj|fp)[-_][\w-]+"
)
_MEMBER: Final = re.compile(r"[A-Za-z_]+[0-9]?(?:(?:\.|::|->)[A-Za-z_]+[0-9]?){1,6}")


def _value_behind(text: str, start: int, longest: int) -> Value | None:
    """The value, of `longest` characters at most, that follows a key word, which ends at `start`."""
    link = _LINK.match(text, start)
    if link is None:
        return None
    place, how, tail_end = link.end(), link.lastgroup or "", link.end("tail")
    quoted = _QUOTED.match(text, place, place + longest + _QUOTES)
    if quoted:
        group = "value" if quoted["value"] is not None else "cjk"
        return Value(*quoted.span(group), quoted[group], True, how, tail_end)
    opening = _OPENING.match(text, place)
    begin = opening.end() if opening else place
    bare = (_BARE if longest == _LONGEST_PASSWORD else _BARE_SECRET).match(text, begin, begin + longest)
    if bare is None or text[bare.end() : bare.end() + 1] in _CODE_BEHIND:
        return None
    value = bare.group()
    if "..." in value:
        return None
    if ending := _BARE_END.search(value):
        value = value[: ending.start()]
    if _IN_QUERY.search(text, max(0, start - 40), start):
        value = _QUERY_END.split(value)[0]
    return Value(begin, begin + len(value), value, False, how, tail_end)


# --- passwords ---

_SHORTEST_PASSWORD: Final = 5
_LONGEST_PASSWORD: Final = 128
# Attributes of a form in HTML.
_MARKUP: Final = re.compile(r"(?:placeholder|type|autocomplete|class|label|title|hint|for|id)=", re.IGNORECASE)
_PIN: Final = re.compile(r"暗証番号")
_SPECIAL: Final = re.compile(r"[!@#$%^&*?~+=]")
_DIGITS: Final = re.compile(r"[0-9]")
_HYPHENATED: Final = re.compile(r"[a-z]{2,12}(?:-[a-z]{2,12}){3,7}")
SENTENCE: Final = frozenset(words_of(["$sentence_words"]))
_PASSPHRASE: Final = re.compile(r"[a-z]{3,10}(?: [a-z]{3,10}){3,7}")
_PASSWORD_ITSELF: Final = re.compile(
    r"pass|pwd|secret|token|user|admin_|credential|input|field|string|value|login|hash|required|invalid", re.IGNORECASE
)
_ASSIGNMENT: Final = re.compile(r"[a-z_]{3,}=")
_NAME_OF_PASSWORD: Final = re.compile(r"(?:[a-z]{1,12}[_.-])?(?:password|passwd|pwd|secret|token)[A-Z_.-][A-Za-z]")
_NAMED_PASSWORD: Final = re.compile(r"(?:pass|pwd|secret|token|user|field|input|string)\w*", re.IGNORECASE)
_ENDS_SENTENCE: Final = ("!", "?")
_INNER_CAPITAL: Final = re.compile(r"(?=.{8})[A-Za-z]{1,20}[a-z][A-Z][A-Za-z]{1,20}")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]+[0-9]?")
_WORD: Final = re.compile(r"[a-z]{6,20}|[A-Z][a-z]{5,20}")
_NOT_PASSWORD_ENDS: Final = re.compile(
    r"(?:length|len|size|count|min|max|policy|type|field|id|name|file|path|url|uri|hint|prompt|label|reset|expir\w*|regex|pattern|"
    r"manager|encoder|hasher|hash|strength|changed|confirm|again|validator|required|algorithm|attempts|age|days|error|_at|date|time|encryption|method|provider|version|rotation|protection|store)s?[\])\"']*\Z",
    re.IGNORECASE,
)
_IN_ARN: Final = re.compile(r"arn:[\w:/-]*\Z|badge\.svg\?[\w=&]*\Z|Sec-WebSocket-\w*\Z")
# `PASS: test_login`, as test runners write; `{{ .Values.password | quote }}`, as templates do.
_TEST_PASSED: Final = re.compile(r"(?:^|\n)[ \t]{0,16}(?:--- |=== )?PASS\Z")
_TEST: Final = re.compile(r"[\w.+-]*/\S*|[Tt]est[A-Z_]\w*")
_IN_TEMPLATE: Final = re.compile(r"\{\{[^{}\n]*\Z")
_OPTION: Final = re.compile(r"--?[A-Za-z]")
_CAPITALS_ONLY: Final = re.compile(r"[*A-Z0-9]+(?:_[*A-Z0-9]+){1,8}|\*[A-Z_]+\*")
_BEFORE_BARE: Final = re.compile(
    r"(?:--?|[#%](?:define|global)[ ]|\b(?:set|setenv|env|arg|export)[ ](?:-\w{1,4}[ ])?|\b(?:with|login|encrypted)[ ]"
    r"|(?:login|user|username|account)[ ]\S{1,64}[ ])[\w.-]*\Z",
    re.IGNORECASE,
)
# What the detector shows in place of `<PASSWORD>`, which holds a key word.
_FILLER: Final = "AAA"
_KEY_WORD_BEHIND: Final = (":", "=", "\uff1a", " ")
# The name before an offset, read backwards: where it begins need not be looked for.
_NAME_BACKWARDS: Final = re.compile(r"[\w.-]*(?:[ ][\w.-]*)?")
_LOOK_BACK: Final = 96
_FIRM: Final = frozenset({"operator", "pair", "field", "markup", "fallback"})


def password(match: re.Match[str]) -> tuple[int, int] | None:
    """A password behind its key word; the match ends with the word, or with the operator behind a short one."""
    text, start = match.string, match.end()
    if text[start - 3 : start] == _FILLER:
        return None
    if text[start - 1 : start] in _KEY_WORD_BEHIND:
        start -= 1
    value = _value_behind(text, start, _LONGEST_PASSWORD)
    if value is None:
        return None
    if len(value.text) < _SHORTEST_PASSWORD:
        return (value.start, value.end) if _PIN.match(text, max(0, start - 4)) and value.text.isdigit() else None
    if _NOT_PASSWORD_ENDS.search(text, start, value.tail_end) or _MARKUP.search(text, value.tail_end, value.start):
        return None
    if text.startswith("/etc/passwd", max(0, start - len("/etc/passwd"))) or _is_no_password(text, start, value):
        return None
    if value.link == "space" and not (value.quoted or _BEFORE_BARE.search(text, max(0, start - _LOOK_BACK), start)):
        return None
    return (value.start, value.end) if is_password(value) else None


def _is_no_password(text: str, start: int, value: Value) -> bool:
    """Whether what stands there is the name of a test, a filter, an option or a name like the key word's own."""
    low = max(0, start - _LOOK_BACK)
    if value.link == "pair":
        return _CAPITALS_ONLY.fullmatch(value.text) is not None or _IN_TEMPLATE.search(text, low, start) is not None
    if "\n" in text[start : value.start] and not value.quoted and _OPTION.match(value.text):
        return True
    return bool(
        _TEST_PASSED.search(text, low, start) and (_TEST.match(value.text) or text[value.end : value.end + 2] == " (")
    )


def is_password(value: Value) -> bool:
    """Whether a value in the place of a password is one: no reference, no type, no word of the sentence."""
    text = value.text
    if " " in text:
        return value.quoted and value.link in _FIRM and _is_passphrase(text)
    if is_stand_in(text) or REFERENCE.fullmatch(text):
        return False
    if value.link not in _FIRM and _ASSIGNMENT.match(text):
        return False
    plain = without_technical(text)
    if not any(character.isalpha() for character in plain):
        return _is_number(value)
    if _DIGITS.search(plain):
        if _NAME_OF_PASSWORD.match(text):
            return False
        return value.quoted or is_mixed(text) or not _is_name(text)
    if is_mixed(text) or _HYPHENATED.fullmatch(text):
        return _PASSWORD_ITSELF.search(text) is None
    specials = len(_SPECIAL.findall(text))
    if specials > (text[-1] in _ENDS_SENTENCE):
        return value.link in _FIRM or value.quoted or specials > 1
    return _is_word(value)


def _is_passphrase(text: str) -> bool:
    """Words that make no sentence: `correct horse battery staple`."""
    words = text.split(" ")
    return _PASSPHRASE.fullmatch(text) is not None and SENTENCE.isdisjoint(words) and not _PASSWORD_ITSELF.search(text)


def _is_number(value: Value) -> bool:
    least = _SHORTEST_PASSWORD if value.quoted and value.link in _FIRM else _SHORTEST_PASSWORD + 1
    return value.text.isdigit() and len(value.text) >= least


def _is_name(text: str) -> bool:
    names = (_IDENTIFIER, _MEMBER, _NAMED_PASSWORD)
    return any(name.fullmatch(text) for name in names)


def _is_word(value: Value) -> bool:
    """Letters alone: in quotes behind an operator; in a sentence only with capitals inside."""
    text = value.text
    if _PASSWORD_ITSELF.search(text):
        return False
    if value.link not in _FIRM:
        return value.link != "space" and _INNER_CAPITAL.fullmatch(text) is not None
    if text[-1] in _ENDS_SENTENCE:
        return text[-1] != "?"
    return value.quoted and value.link != "pair" and _WORD.fullmatch(text) is not None


# --- secrets ---

_WORDS: Final = words_of(["$secret_words"])
_SHORT_WORDS: Final = words_of(["$secret_words_short"])
_KEY_WORD: Final = re.compile(
    f"(?:{'|'.join(word.replace(' ', '[ _-]?') for word in _SHORT_WORDS)})(?![a-z])"
    f"|(?:{'|'.join(word.replace(' ', '[ _-]?') for word in _WORDS)})"
)
_NAME_PARTS: Final = re.compile(r"[A-Z]?[a-z]+[0-9]*|[A-Z]+(?![a-z])[0-9]*")
_NOT_SECRET: Final = frozenset(words_of(["$not_secret_words"]))
# `S3_SECRET_KEY`, `NODE_AUTH_TOKEN`, `PAGE_ACCESS_TOKEN`.
_WEAK_WORDS: Final = frozenset(words_of(["$weak_not_secret_words"]))
_STRONG_NAMES: Final = re.compile(r"(?:^|_)(?:secret|auth_token|access_token|api_key|apikey|api_token|password)(?:_|$)")
_NOT_SECRET_ENDS: Final = frozenset(words_of(["$not_secret_ends"]))
_LONGEST_KEY_ALONE: Final = 4
# The key of something in a cache: `restored from key: v1-deps-8f14e45fceea167a`.
_CACHE_KEY: Final = re.compile(r"(?:with|from|for|cache|hit|miss) keys?\Z", re.IGNORECASE)
_NAMED_HASH: Final = re.compile(r"[A-Za-z][0-9A-Za-z]{0,16}(?:[-_][0-9A-Za-z]{1,16}){0,6}[-_][0-9a-f]{8,64}")
_STRONG: Final = re.compile(
    r"(?:secret|token|credential|(?:api|hmac|signing|encryption|master|private)[ _-]?key)\Z", re.IGNORECASE
)
_SHORTEST_SECRET: Final = 8
_LONGEST_SECRET: Final = 1536
_MOST_WORDS: Final = 3
_GAP: Final = 48
_KEY_WORD_LENGTH: Final = 16
SHORT_SECRET: Final = 10
_SECRET: Final = 12
_SECRET_APART: Final = 20


def secret(match: re.Match[str]) -> tuple[int, int] | None:
    """A random value behind a key word; the match ends in the value."""
    text, end = match.string, match.end()
    low = max(0, end - 2 * _GAP - _KEY_WORD_LENGTH)
    shown = text[low:end].lower()
    for word in list(_KEY_WORD.finditer(shown))[: -_MOST_WORDS - 1 : -1]:
        start = low + word.end()
        value = _value_behind(text, start, _LONGEST_SECRET)
        if value is None or value.start > end or len(text[start : value.start].encode()) > _GAP:
            continue
        if _is_secret(text, start, value):
            return value.start, value.end
    return None


def _is_secret(text: str, start: int, value: Value) -> bool:
    shown = value.text
    firm = value.link in _FIRM
    shortest = SHORT_SECRET if firm else _SECRET
    if value.link == "operator" and value.tail_end == start:
        shortest = _SHORTEST_SECRET if _STRONG.search(text, max(0, start - _KEY_WORD_LENGTH), start) else shortest
    if value.link == "space" and not _BEFORE_BARE.search(text, max(0, start - _LOOK_BACK), start):
        shortest = _SECRET_APART
        if (is_hex(shown) or is_uuid(shown)) and not _STRONG.search(text, max(0, start - _KEY_WORD_LENGTH), start):
            return False
    if not is_random(shown, shortest) or " " in shown or REFERENCE.fullmatch(shown) or is_identifier(shown):
        return False
    if firm and (is_hex(shown) or is_uuid(shown)) and _is_key_alone(text, start):
        return False
    if _CACHE_KEY.search(text, max(0, start - _LOOK_BACK), start) and _NAMED_HASH.fullmatch(shown):
        return False
    return not _is_named_otherwise(text, start, value)


def _is_key_alone(text: str, start: int) -> bool:
    """Whether the whole name is `key`, as of entries in caches and maps; `the acme key: ...` is none."""
    before = text[max(0, start - _LOOK_BACK) : start]
    name = before.rstrip("keysapiKEYSAPI")
    if len(before) - len(name) > _LONGEST_KEY_ALONE or name[-1:].isalnum() or name.endswith(("_", "-", ".")):
        return False
    return text[start : start + 1] == "=" or not (name.endswith(" ") and name.rstrip(" ")[-1:].isalnum())


def _is_named_otherwise(text: str, start: int, value: Value) -> bool:
    """Whether the name says that its value is something else: `max_tokens`, `public_key`, `secret_name`."""
    before = _NAME_BACKWARDS.match(text[max(0, start - _LOOK_BACK) : start][::-1])
    if _IN_ARN.search(text, max(0, start - _LOOK_BACK), start):
        return True
    tail = text[start : value.tail_end]
    parts = _parts((before.group()[::-1] if before else "") + tail)
    words = _NOT_SECRET.intersection(parts)
    if _STRONG_NAMES.search("_".join(parts)):
        words -= _WEAK_WORDS
    return bool(words) or not _NOT_SECRET_ENDS.isdisjoint(_parts(tail)[-1:])


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _NAME_PARTS.findall(name)]


VALIDATORS: Final[dict[str, Validator]] = {"password": password, "secret": secret}
