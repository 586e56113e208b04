"""Reads rule files. A mistake in one is an error with the rule's id, never a rule that silently does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from processors.redaction.entities import load_types
from processors.redaction.rule import EntityType, Rule
from processors.redaction.validators import VALIDATORS
from processors.redaction.words import context_pattern

_PACKAGE: Final = "processors.redaction"

# What may not touch a match: (behind, ahead). `number` also keeps decimal fractions and longer groups out.
_EDGES: Final = {
    "none": ("", ""),
    "word": (r"(?<![0-9A-Za-z_])", r"(?![0-9A-Za-z_])"),
    "token": (r"(?<![0-9A-Za-z_-])", r"(?![0-9A-Za-z_-])"),
    "number": (r"(?<![0-9A-Za-z_])(?<![0-9][.-])", r"(?![0-9A-Za-z_])(?![.-][0-9])"),
}


class _RuleData(BaseModel):
    """A rule as it stands in a file."""

    model_config = ConfigDict(extra="forbid")

    id: str
    type: str
    trigger: str | list[str]
    caseless: bool = False
    pattern: str
    edges: str = "none"
    reach: tuple[int, int]
    validator: str | None = None
    context: list[str] = []
    not_context: list[str] = []
    absorbs: bool = True
    positive: list[str]
    negative: list[str]


def load_rules() -> list[Rule]:
    """All rules that ship with Penstock, in a fixed order."""
    types = load_types()
    return [_build(data, types) for data in _rule_data()]


def _rule_data() -> Iterator[_RuleData]:
    folder = resources.files(_PACKAGE) / "rules"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            for entry in yaml.safe_load(file.read_text(encoding="utf-8")):
                yield _RuleData.model_validate(entry)


def _build(data: _RuleData, types: dict[str, EntityType]) -> Rule:
    try:
        behind, ahead = _EDGES[data.edges]
        return Rule(
            id=data.id,
            entity=types[data.type],
            triggers=(data.trigger,) if isinstance(data.trigger, str) else tuple(data.trigger),
            caseless=data.caseless,
            pattern=re.compile(
                f"{behind}(?:{data.pattern}){ahead}" if data.edges != "none" else data.pattern, re.ASCII
            ),
            before=data.reach[0],
            after=data.reach[1],
            validator=VALIDATORS[data.validator] if data.validator else None,
            context=_context(data.context),
            not_context=_context(data.not_context),
            absorbs=data.absorbs,
            positive=tuple(data.positive),
            negative=tuple(data.negative),
        )
    except (KeyError, re.error) as error:
        raise ValueError(f"redaction rule {data.id}: {error}") from error


def _context(names: Sequence[str]) -> re.Pattern[str] | None:
    return context_pattern(tuple(names)) if names else None
