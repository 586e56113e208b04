"""Watches of texts, numbers and truth values."""

from __future__ import annotations

from typing import Any

import pytest

from processors.tail_sampling.policies.typed_attributes import (
    AnyBool,
    AnyInt,
    AnyString,
    StringAttribute,
    StringAttributeConfig,
)
from processors.tail_sampling.policy import Setting, Span


def seen(watch: AnyString | AnyInt | AnyBool, *spans: Span) -> bool:
    fact = watch.begin()
    for span in spans:
        fact = watch.add(fact, span)
    return fact


def test_equal_watches_are_one() -> None:
    assert AnyString("k", ("a",)) == AnyString("k", ("a",))
    assert len({AnyString("k", ("a",)), AnyString("k", ("a",)), AnyString("k", ("a",), 128)}) == 2
    assert len({AnyInt("k", 1, 2), AnyInt("k", 1, None), AnyInt("l", 1, 2)}) == 3


def test_they_are_called_for_their_key_alone() -> None:
    assert AnyBool("k", value=True).keys == {"k"}


@pytest.mark.parametrize("value", [None, "a", 1, 1.0, True, b"a", ["a"], {"a": 1}])
def test_no_type_is_taken_for_another(value: Any) -> None:
    span = Span(attributes={"k": value}, resource={"k": value})
    assert seen(AnyString("k", ("a",)), span) == (value == "a")
    assert seen(AnyString("k", (".",), 8), span) == (value == "a")
    assert seen(AnyInt("k", -9, 9), span) == (type(value) is int)
    assert seen(AnyBool("k", value=True), span) == (value is True)


def test_what_was_seen_stays_seen() -> None:
    assert seen(AnyInt("k", 5, None), Span(attributes={"k": 7}), Span(attributes={"k": 1}), Span())


class Regex:
    """Counts searches."""

    def __init__(self) -> None:
        self.searched: list[str] = []

    def search(self, text: str) -> bool:
        self.searched.append(text)
        return text == "a"


@pytest.mark.parametrize(("size", "searched"), [(2, ["a", "b"]), (1, ["a", "b", "a", "b"]), (0, ["a", "b"])])
def test_results_of_expressions_are_remembered(size: int, searched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    regex = Regex()
    monkeypatch.setattr("processors.tail_sampling.policies.typed_attributes.Pattern", lambda _: Said(regex))
    config = StringAttributeConfig(key="k", values=("^a",), enabled_regex_matching=True, cache_max_size=size)
    regex.searched.clear()
    (watch,) = StringAttribute("it", config, Setting()).watches
    found = [watch.add(watch.begin(), Span(attributes={"k": text})) for text in ("a", "b", "a", "b")]
    assert found == [True, False, True, False]
    assert regex.searched == searched


class Said:
    """A pattern with a regex that is given."""

    def __init__(self, regex: Regex) -> None:
        self.regex = regex
