"""Conditions on the version of the scope, and on the beginning of a word."""

from __future__ import annotations

import pytest

from processors.gen_ai_normalizer.knowledge.rules import Condition
from processors.gen_ai_normalizer.programs.recognition import ScopeId
from processors.gen_ai_normalizer.programs.shape import Shape, version_fits


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("0.54.9", "<0.55.0", True),
        ("0.55.0", "<0.55.0", False),
        ("0.55", ">=0.55.0", True),
        ("3", "<=3.0.0", True),
        ("0.9.0", "<0.10", True),
        ("0.48b0", "<0.48", False),
        ("v7.0.1-beta.2", ">7", True),
        ("1.2.0", "==1.2", True),
        ("1.2.0", "1.2", False),
        ("1.2.0", "1.2.0", True),
        ("", "<9", False),
        ("main", ">=0", False),
        ("0.57.1", (">=0.55", "<0.58"), True),
        ("0.58.0", (">=0.55", "<0.58"), False),
    ],
)
def test_versions_compare_by_their_numbers(version: str, wanted: str | tuple[str, ...], fits: bool) -> None:
    assert version_fits(version, wanted) is fits


def test_a_condition_may_ask_for_scope_and_version() -> None:
    condition = Condition(when={"opentelemetry.scope": "ai", "opentelemetry.scope.version": "<5"})
    assert Shape(ScopeId("ai", "", "4.3.1"), (), {}).fits(condition)
    assert not Shape(ScopeId("ai", "", "5.0.0"), (), {}).fits(condition)
    assert not Shape(ScopeId("other", "", "4.3.1"), (), {}).fits(condition)


@pytest.mark.parametrize(("word", "fits"), [("ai/6.0.1", True), ("ai/7", True), ("ai/5.0.1", False), ("", False)])
def test_a_condition_may_ask_how_a_word_begins(word: str, fits: bool) -> None:
    condition = Condition(when={"user-agent": ["ai/6*", "ai/7*"]})
    assert Shape(ScopeId("ai", "", ""), (), {"user-agent": word}).fits(condition) is fits
    assert not Shape(ScopeId("ai", "", ""), (), {}).fits(condition)
