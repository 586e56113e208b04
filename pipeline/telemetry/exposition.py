"""The Prometheus text formats: families of series to a page, for own metrics and for the prometheus exporter alike.

Sources: Prometheus text format 0.0.4, OpenMetrics 1.0, and Prometheus' proposal for quoted UTF-8 names
(`{"metric.name",label="x"}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
Kind = Literal["counter", "gauge", "histogram", "summary", "unknown"]

_PLAIN_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PLAIN_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_VALUE_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Exemplar(NamedTuple):
    """One measurement behind a number; `time_s` is seconds since the epoch."""

    labels: Labels
    value: float
    time_s: float | None = None


class Point(NamedTuple):
    """One line of a series: suffix of the name (`_bucket`), a last label (`le`), the value."""

    value: float
    suffix: str = ""
    last_label: tuple[str, float] | None = None
    exemplar: Exemplar | None = None


class Series(NamedTuple):
    """The lines that share a label set; `time_ms` is milliseconds since the epoch."""

    labels: Labels
    points: Iterable[Point]
    time_ms: int | None = None


@dataclass(slots=True)
class Family:
    """All series of one name. A counter's name is that of its samples: with `_total` where it has one."""

    name: str
    kind: Kind
    help: str
    series: Iterable[Series] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Format:
    """What a scraper is answered with; `utf8_names`: names may be any text, else `_` replaces what is not allowed."""

    openmetrics: bool = False
    utf8_names: bool = False

    @property
    def content_type(self) -> str:
        """Value of the Content-Type header."""
        kind = "application/openmetrics-text; version=1.0.0" if self.openmetrics else "text/plain; version=0.0.4"
        return f"{kind}; charset=utf-8; escaping={'allow-utf-8' if self.utf8_names else 'underscores'}"


def negotiate(accept: str, *, openmetrics: bool) -> Format:
    """The format for an Accept header; OpenMetrics only where the page offers it and the scraper prefers it."""
    best, best_quality = Format(), -1.0
    for clause in accept.split(","):
        kind, *parameters = [part.strip() for part in clause.split(";")]
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        is_openmetrics = kind == "application/openmetrics-text"
        if is_openmetrics and (not openmetrics or options.get("version", "1.0.0") not in ("0.0.1", "1.0.0")):
            continue
        if not is_openmetrics and kind not in ("text/plain", "text/*", "*/*"):
            continue
        quality = _quality(options.get("q", "1"))
        if quality > best_quality:
            best = Format(openmetrics=is_openmetrics, utf8_names=options.get("escaping") == "allow-utf-8")
            best_quality = quality
    return best


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def render(families: Iterable[Family], form: Format) -> bytes:
    """The page."""
    lines: list[str] = []
    for family in families:
        lines.extend(_family_lines(family, form))
    if form.openmetrics:
        lines.append("# EOF")
    lines.append("")
    return "\n".join(lines).encode()


def _family_lines(family: Family, form: Format) -> Iterator[str]:
    name, kind = family.name, family.kind
    heading: str = name
    if form.openmetrics and kind == "counter":
        # OpenMetrics knows no counter without _total.
        heading, kind = (name.removesuffix("_total"), kind) if name.endswith("_total") else (name, "unknown")
    shown = _metric_name(heading, form.utf8_names)
    text = family.help.translate(_VALUE_ESCAPES if form.openmetrics else _HELP_ESCAPES)
    yield f"# HELP {shown} {text}"
    yield f"# TYPE {shown} {'untyped' if kind == 'unknown' and not form.openmetrics else kind}"
    for series in family.series:
        labels = ",".join([_label(key, value, form) for key, value in series.labels])
        stamp = "" if series.time_ms is None else _timestamp(series.time_ms, form)
        for point in series.points:
            line = f"{_sample_head(name + point.suffix, labels, point, form)} {_value(point, form)}{stamp}"
            yield line + _exemplar(point.exemplar, form) if form.openmetrics and point.exemplar else line


def _value(point: Point, form: Format) -> str:
    whole = not form.openmetrics or point.suffix in ("_bucket", "_count")
    return go_float(point.value) if whole else _openmetrics_float(point.value)


def _sample_head(name: str, labels: str, point: Point, form: Format) -> str:
    if point.last_label is not None:
        last = _last_label(*point.last_label, form.openmetrics)
        labels = f"{labels},{last}" if labels else last
    shown = _metric_name(name, form.utf8_names)
    if shown.startswith('"'):
        return f"{{{shown},{labels}}}" if labels else f"{{{shown}}}"
    return f"{shown}{{{labels}}}" if labels else shown


@lru_cache(maxsize=4096)
def _last_label(key: str, number: float, openmetrics: bool) -> str:
    text = _openmetrics_float(number) if openmetrics else go_float(number)
    return f'{key}="{text}"'


@lru_cache(maxsize=16384)
def _metric_name(name: str, utf8: bool) -> str:
    if _PLAIN_METRIC.fullmatch(name):
        return name
    if utf8:
        return f'"{name.translate(_VALUE_ESCAPES)}"'
    return _underscored(name, ":")


def _label(key: str, value: str, form: Format) -> str:
    return f'{_label_name(key, form.utf8_names)}="{value.translate(_VALUE_ESCAPES)}"'


@lru_cache(maxsize=16384)
def _label_name(key: str, utf8: bool) -> str:
    if _PLAIN_LABEL.fullmatch(key):
        return key
    return f'"{key.translate(_VALUE_ESCAPES)}"' if utf8 else _underscored(key, "")


def _underscored(name: str, also: str) -> str:
    text = "".join(c if (c.isascii() and c.isalnum()) or c in also else "_" for c in name)
    return f"_{text[1:]}" if text[:1].isdigit() else text


def _timestamp(time_ms: int, form: Format) -> str:
    return f" {_openmetrics_float(time_ms / 1000)}" if form.openmetrics else f" {time_ms}"


def _exemplar(exemplar: Exemplar, form: Format) -> str:
    labels = ",".join(_label(key, value, form) for key, value in exemplar.labels)
    text = f" # {{{labels}}} {_openmetrics_float(exemplar.value)}"
    return text if exemplar.time_s is None else f"{text} {_openmetrics_float(exemplar.time_s)}"


def _openmetrics_float(value: float) -> str:
    """A number that shows that it is a float, as OpenMetrics wants `le` and `quantile`."""
    text = go_float(value)
    return text if any(c in text for c in ".eNI") else f"{text}.0"


@lru_cache(maxsize=4096)
def _go_exponent_form(value: float) -> str:
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int), "finite"  # noqa: S101 - for the type checker
    power = len(digits) + exponent - 1
    text = "".join(map(str, digits))
    if -4 <= power < 6:
        return format(Decimal(repr(value)).normalize(), "f")
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def go_float(value: float) -> str:
    """A number as Go prints it (`strconv` format 'g', shortest), so that `le` is the same text as the Collector's."""
    if -1e6 < value < 1e6 and value == int(value):
        return str(int(value))
    if value != value:  # noqa: PLR0124 - NaN is the one value that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return _go_exponent_form(float(value))
