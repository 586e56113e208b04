"""Text formats: what a scraper reads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pipeline.telemetry.exposition import Exemplar, Family, Format, Point, Series, go_float, negotiate, render

if TYPE_CHECKING:
    from collections.abc import Sequence

_HISTOGRAM = Family(
    "h_seconds",
    "histogram",
    "help",
    [
        Series(
            (("a", "1"),),
            [
                Point(1, "_bucket", ("le", 0.1)),
                Point(3, "_bucket", ("le", 1.0), Exemplar((("trace_id", "ab"),), 0.5, 12.25)),
                Point(4, "_bucket", ("le", math.inf)),
                Point(12.5, "_sum"),
                Point(4, "_count"),
            ],
        )
    ],
)


def _text(*families: Family, form: Format = Format()) -> str:  # noqa: B008 - frozen
    return render(families, form).decode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (-2.0, "-2"),
        (0.1, "0.1"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e17, "1e+17"),
        (1e100, "1e+100"),
        (-2.5e9, "-2.5e+09"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert go_float(value) == text


def test_text_format_of_a_histogram() -> None:
    assert _text(_HISTOGRAM).splitlines() == [
        "# HELP h_seconds help",
        "# TYPE h_seconds histogram",
        'h_seconds_bucket{a="1",le="0.1"} 1',
        'h_seconds_bucket{a="1",le="1"} 3',
        'h_seconds_bucket{a="1",le="+Inf"} 4',
        'h_seconds_sum{a="1"} 12.5',
        'h_seconds_count{a="1"} 4',
    ]


def test_openmetrics_has_exemplars_float_bounds_and_an_end() -> None:
    lines = _text(_HISTOGRAM, form=Format(openmetrics=True)).splitlines()
    assert lines[3] == 'h_seconds_bucket{a="1",le="1.0"} 3 # {trace_id="ab"} 0.5 12.25'
    assert lines[-1] == "# EOF"
    (family,) = parse_openmetrics("\n".join(lines) + "\n")  # type: ignore[no-untyped-call]  # not annotated there
    assert family.samples[1].exemplar.value == 0.5


def test_values_and_help_are_escaped() -> None:
    family = Family("m", "gauge", "a\\b\nc", [Series((("l", 'a"b\\c\nd'),), [Point(1)])])
    text = _text(family)
    assert text.splitlines() == ["# HELP m a\\\\b\\nc", "# TYPE m gauge", 'm{l="a\\"b\\\\c\\nd"} 1']
    (parsed,) = parse_text(text)
    assert parsed.samples[0].labels == {"l": 'a"b\\c\nd'}
    assert parsed.documentation == "a\\b\nc"


def test_counter_names() -> None:
    with_total = Family("c_total", "counter", "", [Series((), [Point(1)])])
    without = Family("d", "counter", "", [Series((), [Point(1)])])
    assert _text(with_total, without).splitlines() == [
        "# HELP c_total ", "# TYPE c_total counter", "c_total 1",
        "# HELP d ", "# TYPE d counter", "d 1",
    ]  # fmt: skip
    assert _text(with_total, without, form=Format(openmetrics=True)).splitlines() == [
        "# HELP c ", "# TYPE c counter", "c_total 1.0",
        "# HELP d ", "# TYPE d unknown", "d 1.0", "# EOF",
    ]  # fmt: skip


def test_utf8_names_are_quoted_or_replaced() -> None:
    family = Family("a.b", "gauge", "", [Series((("x.y", "1"), ("z", "2")), [Point(1)])])
    assert _text(family, form=Format(utf8_names=True)).splitlines()[1:] == [
        '# TYPE "a.b" gauge',
        '{"a.b","x.y"="1",z="2"} 1',
    ]
    assert _text(family).splitlines()[1:] == ["# TYPE a_b gauge", 'a_b{x_y="1",z="2"} 1']
    assert _text(Family("1日", "gauge", "")).splitlines()[1] == "# TYPE __ gauge"


def test_timestamps_are_milliseconds_or_seconds() -> None:
    family = Family("m", "gauge", "", [Series((), [Point(1)], time_ms=1500)])
    assert _text(family).splitlines()[2] == "m 1 1500"
    assert _text(family, form=Format(openmetrics=True)).splitlines()[2] == "m 1.0 1.5"


OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.mark.parametrize(
    ("accept", "offered", "expected"),
    [
        ("", True, Format()),
        ("*/*", True, Format()),
        (f"{OPENMETRICS},text/plain;q=0.5", True, Format(openmetrics=True)),
        (f"{OPENMETRICS},text/plain;q=0.5", False, Format()),
        (f"{OPENMETRICS};q=0.2,text/plain;version=0.0.4;q=0.5", True, Format()),
        ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", True, Format()),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", True, Format(utf8_names=True)),
        (f"{OPENMETRICS};q=nonsense,text/plain;q=0.1", True, Format()),
        ("application/json", True, Format()),
    ],
)
def test_negotiation(accept: str, offered: bool, expected: Format) -> None:
    assert negotiate(accept, openmetrics=offered) == expected


@pytest.mark.parametrize(
    ("form", "parts"),
    [
        (Format(), ["text/plain", "version=0.0.4", "escaping=underscores"]),
        (
            Format(openmetrics=True, utf8_names=True),
            ["application/openmetrics-text", "version=1.0.0", "escaping=allow-utf-8"],
        ),
    ],
)
def test_content_type(form: Format, parts: Sequence[str]) -> None:
    assert all(part in form.content_type for part in parts)
