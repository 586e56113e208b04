"""Names as the specification's compatibility document and the Collector's exporter have them."""

from __future__ import annotations

import pytest

from pipeline.prometheus.names import Strategy, label_name, metric_name, unit_words

SUFFIXES = Strategy.UNDERSCORES_WITH_SUFFIXES


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("g.plain", "", "gauge", "g_plain"),
        ("g ratio", "1", "gauge", "g_ratio"),
        ("c.one", "1", "counter", "c_one_total"),
        ("c.total", "", "counter", "c_total"),
        ("total.things", "", "counter", "things_total"),
        ("x.total", "", "gauge", "x_total"),
        ("c.sec", "s", "counter", "c_sec_seconds_total"),
        ("memory", "By", "gauge", "memory_bytes"),
        ("memory.bytes", "By", "gauge", "memory_bytes"),
        ("cpu", "%", "gauge", "cpu_percent"),
        ("speed", "m/s", "gauge", "speed_meters_per_second"),
        ("speed", "By/min", "gauge", "speed_bytes_per_min"),
        ("per_second.x", "1/s", "gauge", "per_second_x_per_second"),
        ("z", "{x}/s", "gauge", "z_per_second"),
        ("1digit", "{things}", "gauge", "_1digit"),
        ("a__b..c", "ms", "histogram", "a_b_c_milliseconds"),
        ("_lead", "", "gauge", "lead"),
        ("foo:bar", "weird unit", "gauge", "foo:bar_weird_unit"),
        ("日本", "s", "gauge", "seconds"),
        ("kb", "kBy", "gauge", "kb_kBy"),
        ("kb", "KiBy", "gauge", "kb_kibibytes"),
    ],
)
def test_names_with_suffixes(name: str, unit: str, kind: str, expected: str) -> None:
    assert metric_name(name, unit, kind, SUFFIXES) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a__b..c", "a__b_c"), ("1digit", "_1digit"), ("_lead", "_lead"), ("c.total", "c_total")],
)
def test_names_without_suffixes(name: str, expected: str) -> None:
    assert metric_name(name, "s", "counter", Strategy.UNDERSCORES) == expected


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("日本", "s", "gauge", "日本_seconds"),
        ("a__b..c", "ms", "gauge", "a__b..c_milliseconds"),
        ("c.total", "", "counter", "c_total"),
        ("c.sec", "s", "counter", "c.sec_seconds_total"),
        ("memory.bytes", "By", "gauge", "memory.bytes"),
        ("g ratio", "1", "gauge", "g_ratio"),
        ("per_second.x", "1/s", "gauge", "per_second.x_per_second"),
        ("foo:bar", "weird unit", "gauge", "foo:bar_weird unit"),
        ("speed", "m/s", "gauge", "speed_meters_per_second"),
    ],
)
def test_utf8_names_with_suffixes(name: str, unit: str, kind: str, expected: str) -> None:
    assert metric_name(name, unit, kind, Strategy.UTF8_WITH_SUFFIXES) == expected


def test_no_translation() -> None:
    assert metric_name("日.本", "s", "counter", Strategy.NONE) == "日.本"
    assert metric_name("日.本", "s", "counter", Strategy.NONE, "ns") == "ns_日.本"


@pytest.mark.parametrize(
    ("namespace", "expected"), [("ns", "ns_1x_total"), ("my-ns", "my_ns_1x_total"), ("1", "_1_1x_total")]
)
def test_namespace_stands_in_front(namespace: str, expected: str) -> None:
    assert metric_name("1x", "", "counter", SUFFIXES, namespace) == expected


def test_unit_words() -> None:
    assert unit_words("{request}") == ("", "")
    assert unit_words("By/s") == ("bytes", "second")
    assert unit_words("") == ("", "")


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a.b", "a_b"), ("9d", "key_9d"), ("_x", "_x"), ("__y", "__y"), ("x___y", "x___y"), ("ünï", "_n_"), ("é", "")],
)
def test_label_names(key: str, expected: str) -> None:
    assert label_name(key, utf8=False) == expected


def test_utf8_label_names_stay() -> None:
    assert label_name("a.é", utf8=True) == "a.é"
    assert label_name("__", utf8=True) == ""
