"""Reads rule files. A mistake in one is an error with the rule's id, never a rule that silently does nothing."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from processors.redaction.checks import CHECKS
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.formats import Format, read_format
from processors.redaction.knowledge.rule import EntityType, Rule
from processors.redaction.knowledge.tables import parse, read_table
from processors.redaction.knowledge.words import context_pattern, word_trigger, words_of
from processors.redaction.validators import VALIDATORS

_PACKAGE: Final = "processors.redaction"

# What may not touch a match: (behind, ahead). `number` also keeps decimal fractions and longer groups out.
_EDGES: Final = {
    "none": ("", ""),
    "word": (r"(?<![0-9A-Za-z_])", r"(?![0-9A-Za-z_])"),
    "token": (r"(?<![0-9A-Za-z_-])", r"(?![0-9A-Za-z_-])"),
    "number": (r"(?<![0-9A-Za-z_])(?<![0-9][.-])", r"(?![0-9A-Za-z_])(?![.-][0-9])"),
}

_PIECE: Final = re.compile(r"\{\{([a-z_]+)\}\}")

NEAR: Final = (48, 16)
"""Context words count this far before a match and behind it (characters), where a rule says nothing else."""

_EDGE_CHARACTERS: Final = 2
_LONGEST_VALUE: Final = 256


class RuleData(BaseModel):
    """A rule as it stands in a file: either `format`, or `pattern` with `trigger` (and `reach`), or with `context`.

    With `alone` the value must be the whole text; its pattern is its own trigger, and so looks neither behind nor
    ahead and refers to no group. In a pattern or trigger `{{name}}` stands for a piece of `data/pieces.yaml`.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    type: str
    provider: str | None = None
    format: str | list[str] | None = None
    trigger: str | list[str] | None = None
    caseless: bool = False
    pattern: str | None = None
    edges: str | None = None
    alone: bool = False
    reach: tuple[int, int] | None = None
    validator: str | None = None
    check: str | list[str] = []
    context: list[str] = []
    not_context: list[str] = []
    near: tuple[int, int] = NEAR
    absorbs: bool = True
    priority: int | None = None
    positive: list[str]
    negative: list[str]


def load_rules(wanted: Container[str] | None = None) -> list[Rule]:
    """The rules that ship with Penstock for the wanted types, else all of them, in a fixed order."""
    types = load_types()
    return [
        build_rule(RuleData.model_validate(entry), types)
        for entry in _entries()
        if wanted is None or entry["type"] in wanted
    ]


def _entries() -> Iterator[dict[str, Any]]:
    for file in sorted(_files(resources.files(_PACKAGE) / "rules"), key=str):
        yield from parse(file.read_text(encoding="utf-8")) or ()


def _files(folder: Traversable) -> Iterator[Traversable]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry)
        elif entry.name.endswith(".yaml"):
            yield entry


def build_rule(data: RuleData, types: dict[str, EntityType]) -> Rule:
    """Compile a rule.

    Raises:
        ValueError: something in it is unknown or no expression.
    """
    try:
        formats = [read_format(text) for text in _listed(data.format)]
        entity = types[data.type]
        triggers, before, after = _triggers(data, formats)
        words_only = data.trigger is None and not any(form.trigger for form in formats)
        return Rule(
            id=data.id,
            entity=entity,
            triggers=triggers,
            caseless=data.caseless or words_only,
            pattern=_pattern(data, formats),
            before=before,
            after=after,
            validator=VALIDATORS[data.validator] if data.validator else None,
            checks=tuple(CHECKS[name] for name in _listed(data.check)),
            context=context_pattern(tuple(data.context)) if data.context else None,
            not_context=context_pattern(tuple(data.not_context)) if data.not_context else None,
            near=data.near,
            absorbs=data.absorbs,
            priority=entity.priority if data.priority is None else data.priority,
            positive=tuple(data.positive),
            negative=tuple(data.negative),
            provider=data.provider or "",
            by_words=words_only and not data.alone,
        )
    except (KeyError, ValueError, re.error) as error:
        raise ValueError(f"redaction rule {data.id}: {error}") from error


def _listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _pattern(data: RuleData, formats: list[Format]) -> re.Pattern[str]:
    edges = data.edges or ("token" if formats else "none")
    behind, ahead = _EDGES[edges]
    expression = _expression(data, formats)
    if data.alone:
        return re.compile(rf"\A(?:{expression})\Z", re.ASCII)
    return re.compile(f"{behind}(?:{expression}){ahead}" if edges != "none" else expression, re.ASCII)


def _expression(data: RuleData, formats: list[Format]) -> str:
    expression = "|".join(form.pattern for form in formats) if formats else data.pattern
    if expression is None:
        raise ValueError("needs a format or a pattern")
    return _with_pieces(expression)


def _with_pieces(expression: str) -> str:
    """The expression with each piece in its place; pieces are made of others. Raises KeyError for an unknown one."""
    return _PIECE.sub(lambda match: f"(?:{_with_pieces(read_table('pieces.yaml')[match[1]])})", expression)


def _triggers(data: RuleData, formats: list[Format]) -> tuple[tuple[str, ...], int, int]:
    """The triggers, and how far before and behind their ends a match reaches."""
    length = max((form.length for form in formats), default=_LONGEST_VALUE)
    if data.trigger is not None:
        if data.reach is None:
            raise ValueError("a rule with a trigger needs its reach")
        return tuple(_with_pieces(trigger) for trigger in _listed(data.trigger)), *data.reach
    if data.alone:
        return (rf"\A(?:{_expression(data, formats)})\Z",), length + _EDGE_CHARACTERS, _EDGE_CHARACTERS
    literal = tuple(form.trigger for form in formats if form.trigger)
    if formats and len(literal) == len(formats):
        before = max(form.before for form in formats)
        return literal, before + _EDGE_CHARACTERS, length + _EDGE_CHARACTERS
    if not data.context:
        raise ValueError("needs a trigger, or a format with a literal in it, or context words")
    # A word before the value or behind it brings the rule into play.
    words = words_of(data.context)
    longest = max(map(len, words))
    before = longest + data.near[1] + length + _EDGE_CHARACTERS
    reach = data.reach or (before, data.near[0] + length + _EDGE_CHARACTERS)
    return tuple(word_trigger(word) for word in words), *reach
