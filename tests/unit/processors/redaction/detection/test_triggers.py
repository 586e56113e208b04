"""Which engine is used, and that both report the same hits."""

from __future__ import annotations

import sys

import pytest

from processors.redaction.detection.trigger_kinds import is_beyond_ascii, seen_in_json
from processors.redaction.detection.triggers import (
    SEPARATOR,
    RegexEngine,
    Trigger,
    TriggerEngine,
    build_engine,
    has_vectorscan,
)
from processors.redaction.detection.vectorscan import VectorscanEngine

TRIGGERS = (
    Trigger("[a-z]{20}", marker=True),
    Trigger("[0-9]{3}"),
    Trigger("secret", caseless=True),
    Trigger("電話"),
    Trigger("(?:^|[^0-9])7"),
    Trigger("tel[^a-z]"),
)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("nothing", []),
        ("12345", [(1, 3), (1, 4), (1, 5)]),
        ("é123 SeCrEt 電話 é7", [(1, 4), (2, 11), (3, 14), (4, 17)]),
        ("7" + "x" * 30, [(0, 0), (4, 1)]),
        ("é tel電話", [(3, 7), (5, 6)]),
    ],
)
def test_hits_in_characters(text: str, hits: list[tuple[int, int]]) -> None:
    assert sorted(VectorscanEngine(TRIGGERS).hits(text)) == hits
    assert sorted(RegexEngine(TRIGGERS).hits(text)) == hits


def test_a_marker_behind_another_one_is_not_missed() -> None:
    texts = ["x" * 20, "", "y" * 20, "clean", "z" * 20 + " 123"]
    joined = SEPARATOR.join(texts)
    assert list(VectorscanEngine(TRIGGERS).touched(texts, joined)) == [0, 2, 4]
    assert list(RegexEngine(TRIGGERS).touched(texts, joined)) == [0, 2, 4]


def test_each_text_with_a_marker_is_told() -> None:
    texts = [("é" if index % 2 else "x") * 30 for index in range(40)] + ["z" * 21]
    expected = [*range(0, 40, 2), 40]
    assert list(VectorscanEngine(TRIGGERS).touched(texts, SEPARATOR.join(texts))) == expected
    assert list(RegexEngine(TRIGGERS).touched(texts, SEPARATOR.join(texts))) == expected


@pytest.mark.parametrize("body", ["AKIA", "[0-9]{3}-[0-9]", "[A-Z]{2}[0-9]"])
@pytest.mark.parametrize("engine", [VectorscanEngine, RegexEngine])
def test_what_stands_behind_an_escape_of_json_is_seen(engine: type[TriggerEngine], body: str) -> None:
    value = {"AKIA": "AKIA", "[0-9]{3}-[0-9]": "123-4", "[A-Z]{2}[0-9]": "DE8"}[body]
    built = engine([Trigger(seen_in_json(f"(?:^|[^0-9A-Za-z_]){body}"))])  # type: ignore[call-arg]  # a protocol
    for before in ("\\n", "\\t", "\\r", "\\\\n", '\\"', " ", ""):
        assert built.hits(f"{before}{value}") == [(0, len(before) + len(value))]
    assert built.hits(f"X{value}") == []


@pytest.mark.parametrize(
    ("expression", "beyond"),
    [
        ("電話", True),
        ("straße [0-9]", True),
        ("contrase(?:ñ|n)a", False),
        ("(?:É|é)cole", True),
        ("a(?:トークン|token)", False),
        ("[éö]{2}", True),
        ("[éo]", False),
        ("é?a", False),
        ("(?:電|話)+x", True),
        ("tel", False),
    ],
)
def test_what_no_text_of_ascii_holds_is_told(expression: str, *, beyond: bool) -> None:
    assert is_beyond_ascii(expression) is beyond


@pytest.mark.parametrize("engine", [VectorscanEngine, RegexEngine])
def test_what_stands_alone_is_a_whole_text(engine: type[TriggerEngine]) -> None:
    built = engine([Trigger(r"\A(?:[0-9]{3}|ab)\Z")])  # type: ignore[call-arg]  # a protocol
    texts = ["123", "a 123", "123\n", "x\nab\ny", "ab", "AB"]
    assert built.touched(texts, SEPARATOR.join(texts)) == {0: [(0, 3)], 4: [(0, 2)]}
    assert [built.hits(text) for text in texts] == [[(0, 3)], [], [], [], [(0, 2)], []]


def test_a_trigger_without_a_guard_stays_as_it_is() -> None:
    assert seen_in_json("[0-9]@[a-z]") == "[0-9]@[a-z]"


def test_vectorscan_is_used_where_it_is_installed() -> None:
    assert isinstance(build_engine(TRIGGERS), VectorscanEngine)
    assert has_vectorscan()


def test_the_slower_engine_stands_in_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "processors.redaction.detection.vectorscan", None)
    assert isinstance(build_engine(TRIGGERS), RegexEngine)
    assert not has_vectorscan()
