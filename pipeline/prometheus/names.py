"""Names: OpenTelemetry metrics and attributes as Prometheus calls them.

Source: OpenTelemetry specification, compatibility/prometheus_and_openmetrics.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, cast

import yaml

_NO_METRIC_RUNE: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NO_METRIC_RUNE_BUT_UNDERSCORE: Final = re.compile(r"[^a-zA-Z0-9:_]+")
_NO_LABEL_RUNE: Final = re.compile(r"[^a-zA-Z0-9_]")
_NO_UNIT_RUNE: Final = re.compile(r"[^a-zA-Z0-9]+")


class Strategy(StrEnum):
    """How names are translated (`translation_strategy`)."""

    UNDERSCORES_WITH_SUFFIXES = "UnderscoreEscapingWithSuffixes"
    UNDERSCORES = "UnderscoreEscapingWithoutSuffixes"
    UTF8_WITH_SUFFIXES = "NoUTF8EscapingWithSuffixes"
    NONE = "NoTranslation"

    @property
    def utf8(self) -> bool:
        """Whether names keep every character."""
        return self in (Strategy.UTF8_WITH_SUFFIXES, Strategy.NONE)

    @property
    def suffixes(self) -> bool:
        """Whether names carry unit and type."""
        return self in (Strategy.UNDERSCORES_WITH_SUFFIXES, Strategy.UTF8_WITH_SUFFIXES)


@cache
def _units() -> Mapping[str, Mapping[str, str]]:
    text = files(__package__).joinpath("units.yaml").read_text(encoding="utf-8")
    return cast("Mapping[str, Mapping[str, str]]", yaml.safe_load(text))


def unit_words(unit: str) -> tuple[str, str]:
    """The words of a unit: what is counted, and per what; `m/s` gives `meters` and `second`."""
    main, _, per = unit.partition("/")
    main, per = main.strip(), per.strip()
    main = "" if "{" in main or "}" in main else _units()["main"].get(main, main)
    per = "" if "{" in per or "}" in per else _units()["per"].get(per, per)
    return main, per


def _clean_unit_words(unit: str) -> tuple[str, str]:
    main, per = (_NO_UNIT_RUNE.sub("_", word).strip("_") for word in unit_words(unit))
    return main, per


def unit_text(unit: str) -> str:
    """A unit in the words of names: `m/s` gives `meters_per_second`."""
    main, per = _clean_unit_words(unit)
    return "_".join(word for word in (main, per and f"per_{per}") if word)


def metric_name(name: str, unit: str, kind: str, strategy: Strategy, namespace: str = "") -> str:
    """The name of a metric.

    Args:
        name: the OpenTelemetry name.
        unit: its unit, UCUM.
        kind: the Prometheus type; a `counter` gets `_total`, a `gauge` of unit 1 `_ratio`.
        strategy: how names are translated.
        namespace: what is put in front.
    """
    if strategy.utf8:
        whole = _with_suffixes(name, unit, kind) if strategy.suffixes else name
        return f"{namespace}_{whole}" if namespace else whole
    if strategy.suffixes:
        parts = _tokens(name, unit, kind)
    else:
        parts = [part for part in _NO_METRIC_RUNE_BUT_UNDERSCORE.split(name) if part]
    whole = "_".join(parts)
    if namespace:
        whole = f"{_NO_METRIC_RUNE_BUT_UNDERSCORE.sub('_', namespace)}_{whole}"
    return f"_{whole}" if whole[:1].isdigit() else whole


def _tokens(name: str, unit: str, kind: str) -> list[str]:
    tokens = [token for token in _NO_METRIC_RUNE.split(name) if token]
    main, per = _clean_unit_words(unit)
    if main and main not in tokens:
        tokens.append(main)
    if per:
        tokens += ["per", per]
    if kind == "counter":
        tokens = _moved_to_end(tokens, "total")
    if unit == "1" and kind == "gauge":
        tokens = _moved_to_end(tokens, "ratio")
    return tokens


def _moved_to_end(tokens: list[str], word: str) -> list[str]:
    return [*(token for token in tokens if token != word), word]


def _with_suffixes(name: str, unit: str, kind: str) -> str:
    main, per = unit_words(unit)
    ends: list[str] = []
    if kind == "counter":
        name, ends = _cut(name, "total"), ["total"]
    if unit == "1" and kind == "gauge":
        name, ends = _cut(name, "ratio"), ["ratio"]
    if per:
        name = _cut(name, f"per_{per}")
        ends.insert(0, f"per_{per}")
    if main and not name.endswith(main):
        ends.insert(0, main)
    return "_".join([name, *ends])


def _cut(name: str, suffix: str) -> str:
    return name[: -len(suffix) - 1] if name.endswith(suffix) and len(name) > len(suffix) else name


@lru_cache(maxsize=16384)
def label_name(key: str, *, utf8: bool) -> str:
    """The label of an attribute key; empty when nothing but underscores would be left of it."""
    if not utf8:
        key = _NO_LABEL_RUNE.sub("_", key)
        if key[:1].isdigit():
            key = f"key_{key}"
    return key if key.strip("_") else ""
