"""Which model of the base table an id means: its match expressions, compiled to an index, and which are believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from processors.gen_ai_cost.pieces import Pieces

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_WORDS: Final = re.compile(r"[a-z]+")
# The text with which all begins that an expression fits: what follows must not make its end optional.
_BEGINS: Final = re.compile(r"\^([\w/-]+)(?=[\\\[$]|$)")
# Ids of entries that hold in all geographies of Amazon Bedrock.
_REGIONAL: Final = "regional."


class Match(NamedTuple):
    """A model of the base table and the clause by which an id fits it, for people."""

    info: ModelInfo
    rule: str


class Guard:
    """Which of the base table's matches are believed (data: `corrections.yaml`)."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Read the rules."""
        self.makers: Mapping[str, Sequence[str]] = data["makers"]
        self._ignored = {entry["table"]: re.compile(entry["models"]) for entry in data["ignored"]}
        self._products = frozenset(data["other_products"])
        self._place = re.compile(data["places"])

    def ignores(self, table: str, model: str) -> bool:
        """Whether a table's entry for a model is no offer of that provider."""
        return table in self._ignored and bool(self._ignored[table].match(model))

    def is_same(self, info: ModelInfo, value: str, model: str, *, is_exact: bool) -> bool:
        """Whether an id of which a clause knows the part `value` is that of the same model."""
        if is_exact:
            return model in (value, info.id.lower()) or is_fine_tuned(value)
        place = self._place.match(model)
        if place and not value.startswith(place[0]) and not info.id.startswith(_REGIONAL):
            return False
        rest = model[model.find(value) + len(value) :]
        return rest[:1].isalnum() or self._products.isdisjoint(_WORDS.findall(rest))


class Index:
    """The models of one provider in the base table. The first in its order that fits is right."""

    def __init__(self, models: Iterable[ModelInfo], guard: Guard) -> None:
        """Take the models; nothing is compiled before the first question."""
        self._models = models
        self._guard = guard

    def find(self, model: str, *, is_exact: bool) -> Match | None:
        """The model that an id in lower case means; with `is_exact` a part of an id is not enough."""
        equal = self._equal.get(model)
        for index in self._pieces.possible(model):
            position, info, fits = self._loose[index]
            if equal is not None and equal[0] <= position:
                break
            rule = fits(info, model, is_exact)
            if rule:
                return Match(info, rule)
        return equal[1] if equal else None

    @cached_property
    def _equal(self) -> dict[str, tuple[int, Match]]:
        found: dict[str, tuple[int, Match]] = {}
        for position, info in enumerate(self._models):
            for value in _equals(info.match):
                found.setdefault(value.lower(), (position, Match(info, f"equals {value!r}")))
        return found

    @cached_property
    def _loose(self) -> list[tuple[int, ModelInfo, _Fits]]:
        return [
            (position, info, fits)
            for position, info in enumerate(self._models)
            if (fits := _loose(info.match, self._guard)) is not None
        ]

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces(_needs(info.match) for _, info, _ in self._loose)


_Fits = Callable[["ModelInfo", str, bool], str]
"""(model of the table, id, is exact) -> the clause that fits, `""` when none does."""

_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "equals": lambda value, model: model == value,
    "starts_with": lambda value, model: model.startswith(value),
    "ends_with": lambda value, model: model.endswith(value),
    "contains": lambda value, model: value in model,
}


def _equals(match: Any) -> Iterator[str]:
    """The values of which one alone makes the expression true."""
    kind, value = _parts(match)
    if kind == "equals":
        yield value
    elif kind == "or_":
        for clause in value:
            yield from _equals(clause)


def _needs(match: Any) -> set[str] | None:
    """Texts of which an id that fits has at least one, None where that cannot be said."""
    kind, value = _parts(match)
    if kind == "regex":
        begins = None if "|" in value else _BEGINS.match(value)
        return {begins[1]} if begins else None
    if kind in _TESTS:
        return {value.lower()}
    each = [_needs(clause) for clause in value]
    known = [texts for texts in each if texts is not None]
    if kind == "or_":
        return set().union(*known) if len(known) == len(each) else None
    return max(known, key=lambda texts: min(map(len, texts)), default=None)


def _loose(match: Any, guard: Guard) -> _Fits | None:
    """What an expression says beside its plain `equals`; None when that is all."""
    kind, value = _parts(match)
    if kind == "or_":
        parts = [part for clause in value if (part := _loose(clause, guard)) is not None]
        return _any(parts) if parts else None
    return None if kind == "equals" else _compiled(match, guard)


def _compiled(match: Any, guard: Guard) -> _Fits:
    kind, value = _parts(match)
    if kind == "or_":
        return _any([_compiled(clause, guard) for clause in value])
    if kind == "and_":
        return _all([_compiled(clause, guard) for clause in value])
    return _clause(kind, value, guard)


def _any(parts: Sequence[_Fits]) -> _Fits:
    def fits(info: ModelInfo, model: str, is_exact: bool) -> str:
        return next((rule for part in parts if (rule := part(info, model, is_exact))), "")

    return parts[0] if len(parts) == 1 else fits


def _all(parts: Sequence[_Fits]) -> _Fits:
    def fits(info: ModelInfo, model: str, is_exact: bool) -> str:
        rules = [part(info, model, is_exact) for part in parts]
        return " and ".join(rules) if all(rules) else ""

    return fits


def _clause(kind: str, value: str, guard: Guard) -> _Fits:
    """A clause. Fine-tuned models fit only those that speak of them: they have prices of their own."""
    rule, lower, of_fine_tuned = f"{kind.replace('_', ' ')} {value!r}", value.lower(), is_fine_tuned(value)
    pattern = re.compile(value) if kind == "regex" else None
    test = _TESTS.get(kind)

    def fits(info: ModelInfo, model: str, is_exact: bool) -> str:
        if not (pattern.search(model) if pattern else test is not None and test(lower, model)):
            return ""
        if is_fine_tuned(model) and not of_fine_tuned:
            return ""
        return rule if pattern or kind == "equals" or guard.is_same(info, lower, model, is_exact=is_exact) else ""

    return fits


def is_fine_tuned(model: str) -> bool:
    """Whether an id names a model that a customer has trained further."""
    return model.startswith("ft:") or "/ft:" in model or ".ft-" in model


def _parts(match: Any) -> tuple[str, Any]:
    """The one field of a clause: its kind and its value."""
    kind, value = next(iter(vars(match).items()))
    return kind, value
