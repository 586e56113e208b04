"""A glance is enough for records in the conventions' form, and misses none that are not."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import traces
from processors.gen_ai_normalizer.knowledge.rules import load_rules
from processors.gen_ai_normalizer.programs.cache import ProgramCache
from processors.gen_ai_normalizer.programs.compilation import DialectOptions
from processors.gen_ai_normalizer.programs.compiler import Compiler
from processors.gen_ai_normalizer.programs.recognition import ScopeId

MESSAGES = '[{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]'
ANSWER = '[{"role": "assistant", "parts": [{"type": "text", "content": "Hi."}]}]'
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.input.messages": MESSAGES,
    "gen_ai.output.messages": ANSWER,
    "mine": 1,
}
REASONS = {"gen_ai.response.finish_reasons": ["stop"]}


def seen(span: dict[str, Any]) -> bool | None:
    """What the glance says; None where the program has none."""
    programs = ProgramCache(Compiler(load_rules(), "1.41", {}, DialectOptions()))
    (record,) = traces(span).records()
    program = programs.find(ScopeId("test", "", ""), record.attributes)
    assert program is not None
    return program.quick.sees(record.attributes) if program.quick is not None else None


@pytest.mark.parametrize("span", [CALL, CALL | REASONS, CALL | {"mine": ["anything", {"at": "all"}]}])
def test_records_of_the_conventions_are_seen(span: dict[str, Any]) -> None:
    assert seen(span) is True


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.provider.name", "OpenAI"),
        ("gen_ai.provider.name", ["openai"]),
        ("gen_ai.request.model", 4),
        ("gen_ai.usage.input_tokens", "5"),
        ("gen_ai.usage.input_tokens", -1),
        ("gen_ai.usage.input_tokens", True),
        ("gen_ai.request.temperature", 1),
        ("gen_ai.input.messages", "Hello?"),
        ("gen_ai.input.messages", [{"role": "user"}]),
        ("gen_ai.output.messages", ANSWER.replace('"role"', '"finish_reason": "stop", "role"')),
    ],
)
def test_whatever_is_to_be_mended_is_not(key: str, value: Any) -> None:
    assert seen({**CALL, key: value}) is False


@pytest.mark.parametrize("reasons", [["STOP"], [], "stop", [7], [["stop"]], None])
def test_finish_reasons_must_be_the_conventions_words(reasons: Any) -> None:
    assert seen({**CALL, "gen_ai.response.finish_reasons": reasons}) is False


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"gen_ai.operation.name": "completion.chat"}, id="an operation with another name"),
        pytest.param({"gen_ai.system": "openai"}, id="an old name"),
        pytest.param({"gen_ai.prompt.0.content": "x"}, id="another dialect"),
    ],
)
def test_where_there_is_always_work_there_is_no_glance(change: dict[str, Any]) -> None:
    assert seen(CALL | change) is None


def test_what_is_derived_needs_more_than_a_glance() -> None:
    without = {key: value for key, value in CALL.items() if key != "gen_ai.provider.name"}
    assert seen(without) is None
