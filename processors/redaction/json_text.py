"""Keeps JSON valid when values inside it are replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from processors.redaction.findings import Finding, stand_in
from processors.redaction.treatment import Treatment

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_KEY_BEFORE: Final = re.compile(r'(\\*")\s*:\s*(?:\[[\s0-9,.eE+-]*)?-?$')
_END_BEHIND: Final = re.compile(r"\s*(?:[,}\]]|$)")
_LOOK_BACK: Final = 256


def may_be_json(text: str) -> bool:
    """Whether a text begins like a JSON object, array or string."""
    return text.lstrip()[:1] in ("{", "[", '"')


def is_at_risk(text: str, findings: Sequence[Finding]) -> bool:
    """Whether replacing could break JSON: a span with a quote or an escape in it, or a number outside of a string."""
    return may_be_json(text) and any(_is_risky(text[finding.start : finding.end]) for finding in findings)


def _is_risky(span: str) -> bool:
    return '"' in span or "\\" in span or _NUMBER.fullmatch(span) is not None


def splice_json(text: str, findings: Sequence[Finding], treatment: Treatment) -> str:
    """The text with each finding replaced; a placeholder for a bare number gets the quotes of its key."""
    pieces = []
    position = 0
    for finding in findings:
        quote = _quote_for(text, finding)
        pieces += [text[position : finding.start], quote, stand_in(text, finding, treatment), quote]
        position = finding.end
    pieces.append(text[position:])
    return "".join(pieces)


def _quote_for(text: str, finding: Finding) -> str:
    if not _NUMBER.fullmatch(text, finding.start, finding.end) or not _END_BEHIND.match(text, finding.end):
        return ""
    key = _KEY_BEFORE.search(text[max(0, finding.start - _LOOK_BACK) : finding.start])
    return key.group(1) if key else ""


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


def _parse(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list | str) else None


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


def rewrite(text: str, redact: Callable[[str], str]) -> str:
    """Parse JSON, redact keys, strings and numbers, and write it again in the same style of escapes and spaces.

    Raises:
        ValueError: the text is no JSON.
    """
    spaced = '": ' in text or '", ' in text
    return json.dumps(
        _rewritten(json.loads(text), redact),
        ensure_ascii=text.isascii(),
        separators=(", ", ": ") if spaced else (",", ":"),
    )


def _rewritten(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(key): _rewritten(item, redact) for key, item in value.items()}
    if isinstance(value, list):
        return [_rewritten(item, redact) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    text = json.dumps(value)
    replaced = redact(text)
    return value if replaced == text else replaced
