"""Programs are compiled once for a shape of record, and no one can make us compile without end."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.signals import Span, Value
from pipeline.testing import traces
from processors.gen_ai_normalizer.knowledge.rules import load_rules, parse_rules
from processors.gen_ai_normalizer.programs import cache as module
from processors.gen_ai_normalizer.programs.cache import ProgramCache
from processors.gen_ai_normalizer.programs.compilation import DialectOptions
from processors.gen_ai_normalizer.programs.compiler import Compiler
from processors.gen_ai_normalizer.programs.program import Program
from processors.gen_ai_normalizer.programs.recognition import ScopeId

SCOPE = ScopeId("test", "", "")
RULES = """
dialect: x
scopes: [{name: test}]
cases:
  - when: {kind: [one, two]}
    attributes: {gen_ai.request.model: [model]}
"""


class Counting(Compiler):
    def __init__(self) -> None:
        super().__init__([load_rules()[0], parse_rules(RULES, "x")], "1.41", {}, DialectOptions())
        self.compiled = 0

    def program(self, *arguments: Any) -> Program:
        self.compiled += 1
        return super().program(*arguments)


def find(
    programs: ProgramCache, attributes: Mapping[str, Value], scope: ScopeId = SCOPE, name: str = ""
) -> Program | None:
    (record,) = traces(attributes).records()
    assert isinstance(record, Span)
    record.name = name
    return programs.find(scope, record.attributes, record)


@pytest.fixture
def compiler() -> Counting:
    return Counting()


@pytest.fixture
def programs(compiler: Counting) -> ProgramCache:
    return ProgramCache(compiler)


def test_records_of_one_shape_share_a_program(programs: ProgramCache, compiler: Counting) -> None:
    assert find(programs, {"model": "a", "kind": "one"}) is find(programs, {"model": "b", "kind": "one"})
    assert compiler.compiled == 1


def test_words_that_rules_look_for_make_programs_of_their_own(programs: ProgramCache, compiler: Counting) -> None:
    found = [find(programs, {"model": "a", "kind": kind}) for kind in ("one", "two", "three", "one")]
    assert [len(program.fills) if program else None for program in found] == [1, 1, 0, 1]
    assert compiler.compiled == 3


def test_words_that_no_rule_looks_for_are_one(programs: ProgramCache, compiler: Counting) -> None:
    for index in range(1000):
        find(programs, {"model": "a", "kind": f"made up {index}"}, name=f"span {index}")
    assert compiler.compiled < 10


@pytest.mark.parametrize("kind", [["a"], {"a": "b"}, 7, b"one", None, "x" * 5000])
def test_what_is_no_word_is_none(programs: ProgramCache, kind: Any) -> None:
    program = find(programs, {"model": "a", "kind": kind})
    assert program is not None
    assert not program.fills
    assert find(programs, {"model": "a", "kind": kind}) is program


def test_records_about_other_things_have_no_program(programs: ProgramCache, compiler: Counting) -> None:
    other = ScopeId("http", "", "")
    assert find(programs, {"a": 1}, other) is find(programs, {"a": 1}, other) is None
    assert compiler.compiled == 0


def test_shapes_are_forgotten_when_they_are_too_many(compiler: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 1_000_000)
    programs = ProgramCache(compiler)
    for index in range(60):
        find(programs, {"model": "a", f"k{index}": 1})
    find(programs, {"model": "a", "k0": 1})
    assert compiler.compiled == 61
    find(programs, {"model": "a", "k59": 1})
    assert compiler.compiled == 61


@pytest.mark.parametrize("made_up", ["a key", "a word", "an array", "the scope"])
def test_what_is_kept_does_not_grow_with_what_is_sent(compiler: Counting, made_up: str) -> None:
    long = "x" * 1_000_000
    programs = ProgramCache(compiler)
    gc.collect()
    tracemalloc.start()
    try:
        for index in range(200):
            text = f"{index}{long}"
            more: dict[str, dict[str, Any]] = {
                "a key": {text: 1},
                "a word": {"kind": text},
                "an array": {"kind": [text]},
            }
            scope = ScopeId("test", "", text) if made_up == "the scope" else SCOPE
            find(programs, {"model": "a", "kind": "one"} | more.get(made_up, {}), scope)
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 80 << 20
