"""Keeps JSON valid when values inside it are replaced."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from processors.redaction.detection import encodings
from processors.redaction.detection.findings import Edit, Finding, escaped, stand_in
from processors.redaction.knowledge.treatment import Treatment

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_KEY_BEFORE: Final = re.compile(r"""(\\*["'])\s{0,8}:\s{0,8}(?:\[[\s0-9,.eE+-]*)?-?$""")
_END_BEHIND: Final = re.compile(r"\s*(?:[,}\]]|$)")
_LOOK_BACK: Final = 256

# What may stand outside of strings.
_STRUCTURE: Final = re.compile(r"(?:[\s:,\[\]{}0-9.eE+-]|true|false|null)*(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)?")
_OUTSIDE: Final = frozenset("0123456789-+.E:,[]{} \t\n\rtruefalsn")
# `[` and `{` begin a document inside a string.
_BEHIND_STRING: Final = frozenset(" \t\n\r,:]}[{")
_KEY_BEHIND: Final = re.compile(r'[^"\\]{0,256}\\*"\s*:')
_UNSAFE: Final = re.compile(r'["\\\x00-\x1f]')
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s\[\]{}:,"]+|[\[\]{}]')
_COLON: Final = re.compile(r"\s*:")


def may_be_json(text: str) -> bool:
    """Whether a text begins like a JSON object, array or string."""
    return text[:1] in _OPENING if text[:1] > " " else text.lstrip()[:1] in _OPENING


_OPENING: Final = frozenset('{["')
_CLOSING: Final = {"{": "}", "[": "]", '"': '"'}
_SPACE_AROUND: Final = 64


def edits(text: str, findings: Sequence[Finding], treatment: Treatment) -> list[Edit]:
    """What is written in place of findings: JSON in the text, and JSON in its strings, stays JSON.

    A number becomes a string; what reaches over several strings is replaced in each of them; keys of one object stay
    different: `<EMAIL>`, `<EMAIL>#2`.
    """
    if not may_be_json(text):
        return [_loose(text, finding, treatment) for finding in findings]
    if any(_is_risky(text, finding) for finding in findings) and (documents := _documents(text)):
        return list(_in_documents(text, documents, findings, treatment))
    return [_inside_string(text, finding, treatment) for finding in findings]


# --- without a parser: nothing that is replaced can be more than a part of a string, or the text is no JSON


def _loose(text: str, finding: Finding, treatment: Treatment) -> Edit:
    shown = stand_in(text, finding, treatment)
    if quote := _quote_for(text, finding):
        shown = f"{quote}{shown}{quote}"
    return Edit(finding.start, finding.end, shown, finding)


def _quote_for(text: str, finding: Finding) -> str:
    """The quotes of the key in front of a bare number, in a text that looks like JSON or a Python literal here."""
    if not _NUMBER.fullmatch(text, finding.start, finding.end) or not _END_BEHIND.match(text, finding.end):
        return ""
    key = _KEY_BEFORE.search(text[max(0, finding.start - _LOOK_BACK) : finding.start])
    return key.group(1) if key else ""


def _inside_string(text: str, finding: Finding, treatment: Treatment) -> Edit:
    shown = stand_in(text, finding._replace(escapes=0), treatment)
    if finding.replacement is None and _UNSAFE.search(shown):
        quote = text.rfind('"', 0, finding.start)
        before = len(text[:quote]) - len(text[:quote].rstrip("\\")) if quote > 0 else 0
        shown = escaped(shown, max(finding.escapes, (before + 1).bit_length()))
    return Edit(finding.start, finding.end, shown, finding)


def _is_risky(text: str, finding: Finding) -> bool:
    """Whether replacing could break JSON: a quote is in the span, it may be outside of a string, or in a key."""
    start, end = finding.start, finding.end
    if text.find('"', start, end) >= 0 or text.find("\\u0022", start, end) >= 0:
        return True
    return _may_be_outside(text, start) or _KEY_BEHIND.match(text, end) is not None


def _may_be_outside(text: str, start: int) -> bool:
    """Whether an offset may lie outside of all strings, as far as the last quote before it tells."""
    if text[start] not in _OUTSIDE:
        return False
    low = max(0, start - _LOOK_BACK)
    quote = text.rfind('"', low, start)
    if quote >= 0 and text[quote + 1] not in _BEHIND_STRING:
        return False
    return _STRUCTURE.fullmatch(text, max(low, quote + 1), start) is not None


# --- with a parser


def _in_documents(
    text: str, documents: Sequence[tuple[int, int]], findings: Sequence[Finding], treatment: Treatment
) -> Iterator[Edit]:
    """Edits in documents and between them; both they and the findings are in order."""
    waiting = deque(findings)
    for start, end in documents:
        while waiting and waiting[0].end <= start:
            yield _loose(text, waiting.popleft(), treatment)
        inside = []
        while waiting and waiting[0].start < end:
            inside.append(waiting.popleft())
        yield from _Document(text, start, end, treatment).edits(inside)
        if inside and inside[-1].end > end:
            # What reaches into the next line is replaced there, too.
            waiting.appendleft(inside[-1]._replace(start=end))
    yield from [_loose(text, finding, treatment) for finding in waiting]


def _documents(text: str) -> list[tuple[int, int]]:
    """The stretches of a text that are JSON: all of it, or lines."""
    if _is_json(text):
        return [(0, len(text))]
    found = []
    start = 0
    for line in text.splitlines(keepends=True):
        if may_be_json(line) and _is_json(line):
            found.append((start, start + len(line)))
        start += len(line)
    return found


def _is_json(text: str) -> bool:
    return _parse(text) is not None


def _is_closed(text: str) -> bool:
    """Whether a text ends as an object, array or string that begins as it does may end."""
    first, last = text[:_SPACE_AROUND].lstrip()[:1], text[-_SPACE_AROUND:].rstrip()[-1:]
    return not (first and last) or _CLOSING.get(first) == last


def _parse(text: str) -> Any:
    """A document, None where the text is none; Python's parser reads what orjson does not: NaN, lone surrogates."""
    if not _is_closed(text):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict | list | str) else None


class _Document:
    """One JSON document in a text, edited token by token: what holds no finding stays as it is written."""

    def __init__(self, text: str, start: int, end: int, treatment: Treatment) -> None:
        self._text = text
        self._span = start, end
        self._treatment = treatment
        self._keys: list[dict[str, int] | None] = []

    def edits(self, findings: Sequence[Finding]) -> list[Edit]:
        """The edits for findings in it, in order."""
        made: list[Edit] = []
        waiting = list(reversed(findings))
        for match in _TOKEN.finditer(self._text, *self._span):
            start, end = match.span()
            while waiting and waiting[-1].end <= start:
                waiting.pop()
            made += self._token(match.group(), start, end, waiting)
        return made

    def _token(self, written: str, start: int, end: int, waiting: list[Finding]) -> list[Edit]:
        if written[0] in "{[":
            self._keys.append({} if written == "{" else None)
            return []
        if written[0] in "}]":
            self._keys.pop()
            return []
        touching = [item for item in _until(waiting, end) if item.end > start]
        keys = self._keys[-1] if self._keys else None
        is_key = written[0] == '"' and keys is not None and _COLON.match(self._text, end) is not None
        if not touching:
            if is_key and keys is not None:
                keys.setdefault(written, 1)
            return []
        if written[0] != '"':
            shown = json.dumps(self._shown(touching[0]), ensure_ascii=False)
            return [Edit(start, end, shown, touching[0])]
        made = self._string(written, start, touching)
        return self._unique(written, start, made, keys) if is_key and keys is not None else made

    def _string(self, token: str, start: int, touching: Sequence[Finding]) -> list[Edit]:
        """Edits inside one string; in JSON that the string holds, they follow its own tokens."""
        low, high = start + 1, start + len(token) - 1
        content = token[1:-1]
        touching = [item for item in touching if max(low, item.start) < min(high, item.end)]
        if any(_is_risky(self._text, item) or self._needs_escapes(item) for item in touching):
            decoded = encodings.Decoded(content, encodings.ESCAPES)
            if may_be_json(decoded.text) and _is_json(decoded.text):
                return self._nested(decoded, low, high, touching)
        return [Edit(max(low, item.start), min(high, item.end), self._in_string(item), item) for item in touching]

    def _needs_escapes(self, finding: Finding) -> bool:
        return finding.replacement is None and _UNSAFE.search(self._shown(finding)) is not None

    def _nested(self, decoded: encodings.Decoded, low: int, high: int, touching: Sequence[Finding]) -> list[Edit]:
        inner = []
        for item in touching:
            start = decoded.offset(max(low, item.start) - low)
            end = decoded.offset(min(high, item.end) - 1 - low) + 1
            written = item.replacement
            if written is not None:
                written = encodings.Decoded(written, encodings.ESCAPES).text
            inner.append(
                item._replace(
                    start=start,
                    end=end,
                    value=item.shown_in(self._text),
                    replacement=written,
                    escapes=max(0, item.escapes - 1),
                )
            )
        made = []
        for edit in edits(decoded.text, inner, self._treatment):
            begin, behind = decoded.original(edit.start, edit.end)
            made.append(Edit(low + begin, low + behind, encodings.escape(edit.text), edit.finding))
        return made

    def _unique(self, token: str, start: int, made: list[Edit], keys: dict[str, int]) -> list[Edit]:
        """The edits of a key, with a number behind where the object has such a key already."""
        pieces = []
        position = start
        for edit in made:
            pieces += [self._text[position : edit.start], edit.text]
            position = edit.end
        key = "".join([*pieces, self._text[position : start + len(token)]])
        unique = key
        number = keys.get(key, 0)
        while unique in keys:
            number += 1
            unique = f'{key[:-1]}#{number}"'
        keys[key] = max(number, 1)
        keys.setdefault(unique, 1)
        if unique == key:
            return made
        if not made:
            return []
        end = start + len(token) - 1
        suffix = f"#{number}"
        last = made[-1]
        if last.end == end:
            return [*made[:-1], last._replace(text=last.text + suffix)]
        return [*made, Edit(end, end, suffix, last.finding)]

    def _in_string(self, finding: Finding) -> str:
        # A replacement is written for its place already.
        return encodings.escape(self._shown(finding)) if finding.replacement is None else finding.replacement

    def _shown(self, finding: Finding) -> str:
        return stand_in(self._text, finding._replace(escapes=0), self._treatment)


def _until(waiting: list[Finding], end: int) -> Iterator[Finding]:
    """The findings that begin before an offset; `waiting` has the next one last."""
    for finding in reversed(waiting):
        if finding.start >= end:
            return
        yield finding


def is_intact(before: str, after: str) -> bool:
    """Whether everything that was JSON, JSON inside strings included, is still JSON."""
    pairs = [(before, after)]
    while pairs:
        old_text, new_text = pairs.pop()
        old = _parse(old_text)
        if old is None:
            continue
        new = _parse(new_text)
        if type(new) is not type(old):
            return False
        pairs += _json_strings(old, new)
    return True


def _json_strings(old: Any, new: Any) -> list[tuple[str, str]]:
    """Pairs of strings at the same place that look like JSON themselves."""
    found = []
    stack = [(old, new)]
    while stack:
        left, right = stack.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            stack += zip(left.values(), right.values(), strict=False)
        elif isinstance(left, list) and isinstance(right, list):
            stack += zip(left, right, strict=False)
        elif isinstance(left, str) and isinstance(right, str) and left != right and may_be_json(left):
            found.append((left, right))
    return found
