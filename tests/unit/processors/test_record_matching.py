"""Which records `include` and `exclude` mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import log_request, metrics, trace_request, traces
from processors.record_matching import MatchProperties, matcher, same_value, unusable_criteria

if TYPE_CHECKING:
    from pipeline.signals import Record


def _span(name: str = "chat", **attributes: Any) -> Record:
    return traces(attributes, name=name).records()[0]


def _matches(record: Record, signal: Signal = Signal.TRACES, match_type: str = "strict", **criteria: Any) -> bool:
    test = matcher(MatchProperties(match_type=match_type, **criteria), None, signal)
    assert test is not None
    return test(record)


def test_strict_is_equal_and_regexp_finds() -> None:
    assert _matches(_span("chat"), span_names=["chat"])
    assert not _matches(_span("chat gpt"), span_names=["chat"])
    assert _matches(_span("chat gpt"), match_type="regexp", span_names=["at"])
    assert not _matches(_span("chat\n"), match_type="regexp", span_names=["chat$"])


@pytest.mark.parametrize("cache", [{"cacheenabled": True, "cachemaxnumentries": 1}, {"cacheenabled": False}])
def test_results_of_expressions_may_be_remembered(cache: dict[str, Any]) -> None:
    test = matcher(MatchProperties(match_type="regexp", regexp=cache, span_names=("c",)), None, Signal.TRACES)
    assert test is not None
    assert [test(_span(name)) for name in ("chat", "x", "chat")] == [True, False, True]


def test_span_kinds_and_services() -> None:
    assert _matches(_span(), span_kinds=["SPAN_KIND_CLIENT"])
    assert not _matches(_span(), span_kinds=["SPAN_KIND_SERVER"])
    assert _matches(_span(), services=["shop"])
    request = trace_request({}, resource={})
    record = parse(Signal.TRACES, request.SerializeToString()).records()[0]
    assert _matches(record, services=["<nil-service-name>"])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([{"key": "n", "value": 1}], True),
        ([{"key": "n", "value": "1"}], False),
        ([{"key": "n", "value": True}], False),
        ([{"key": "n"}, {"key": "t"}], True),
        ([{"key": "n"}, {"key": "missing"}], False),
        ([{"key": "l", "value": ["a", 1]}], True),
        ([{"key": "l", "value": ["a", 1.0]}], False),
    ],
)
def test_attributes_strict(wanted: list[dict[str, Any]], expected: bool) -> None:
    assert _matches(_span(n=1, t="x", l=["a", 1]), attributes=wanted) is expected


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [("abc", "b", True), (42, "^4", True), (True, "tru", True), (1.5e-7, "^0.00000015$", True), (["a"], "a", False)],
)
def test_attributes_by_expression(value: Any, pattern: str, expected: bool) -> None:
    wanted = [{"key": "k", "value": pattern}]
    assert _matches(_span(k=value), match_type="regexp", attributes=wanted) is expected


def test_resources_and_libraries() -> None:
    assert _matches(_span(), resources=[{"key": "service.name", "value": "shop"}])
    assert _matches(_span(), libraries=[{"name": "test"}])
    assert _matches(_span(), libraries=[{"name": "test", "version": ""}])
    assert not _matches(_span(), libraries=[{"name": "test", "version": "1"}])
    assert not _matches(_span(), libraries=[{"name": "test"}, {"name": "other"}])


def test_criteria_must_all_be_met() -> None:
    assert not _matches(_span("chat"), span_names=["chat"], services=["other"])


def _log(body: Any, number: int = 0, text: str = "") -> Record:
    request = log_request(body)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.severity_number, record.severity_text = number, text  # type: ignore[assignment]  # an int is what the enum is
    return parse(Signal.LOGS, request.SerializeToString()).records()[0]


def test_logs() -> None:
    assert _matches(_log("hello"), Signal.LOGS, log_bodies=["hello"])
    assert _matches(_log(17), Signal.LOGS, match_type="regexp", log_bodies=["^17$"])
    assert _matches(_log("x", text="INFO"), Signal.LOGS, log_severity_texts=["INFO"])


@pytest.mark.parametrize(
    ("number", "wanted", "expected"),
    [
        (13, {"min": 13}, True),
        (12, {"min": 13}, False),
        (13, {"min": "WARN"}, True),
        (0, {"min": 9}, False),
        (0, {"min": 9, "match_undefined": True}, True),
    ],
)
def test_severity_numbers(number: int, wanted: dict[str, Any], expected: bool) -> None:
    assert _matches(_log("x", number), Signal.LOGS, log_severity_number=wanted) is expected


def test_metric_names() -> None:
    records = metrics({"requests": [1], "latency": [2]}).records()
    assert [_matches(record, Signal.METRICS, metric_names=["latency"]) for record in records] == [False, True]


def test_include_comes_first_then_exclude() -> None:
    include = MatchProperties(match_type="regexp", span_names=("chat",))
    exclude = MatchProperties(match_type="strict", span_names=("chat b",))
    both, only_exclude = matcher(include, exclude, Signal.TRACES), matcher(None, exclude, Signal.TRACES)
    assert both is not None
    assert only_exclude is not None
    assert [both(_span(name)) for name in ("chat a", "chat b", "x")] == [True, False, False]
    assert [only_exclude(_span(name)) for name in ("chat a", "chat b", "x")] == [True, False, True]
    assert matcher(None, None, Signal.TRACES) is None


def test_criteria_of_other_signals_are_named() -> None:
    properties = MatchProperties(match_type="strict", span_names=("a",), log_bodies=("b",), resources=({"key": "c"},))
    assert unusable_criteria(properties, Signal.TRACES) == ["log_bodies"]
    assert unusable_criteria(properties, Signal.LOGS) == ["span_names"]
    assert unusable_criteria(properties, Signal.METRICS) == ["log_bodies", "span_names"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"match_type": "strict"}, "at least one criterion"),
        ({"match_type": "expr", "span_names": ["a"]}, "match_type"),
        ({"span_names": ["a"]}, "match_type"),
        ({"match_type": "strict", "span_kinds": ["CLIENT"]}, "is no kind"),
        ({"match_type": "regexp", "span_names": ["("]}, "RE2"),
        ({"match_type": "regexp", "attributes": [{"key": "a", "value": "("}]}, "RE2"),
        ({"match_type": "regexp", "attributes": [{"key": "a", "value": 1}]}, "needs text"),
        ({"match_type": "strict", "attributes": [{"key": ""}]}, "key"),
        ({"match_type": "strict", "log_severity_number": {"min": "LOUD"}}, "min"),
    ],
)
def test_unusable_properties_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MatchProperties(**keys)


def test_same_value_compares_types_inside_too() -> None:
    assert same_value({"a": [1, {"b": "c"}]}, {"a": [1, {"b": "c"}]})
    assert not same_value({"a": [1]}, {"a": [True]})
    assert not same_value({"a": 1}, {"b": 1})
