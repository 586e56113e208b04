from __future__ import annotations

from typing import Any, cast

import pytest

from pipeline.exporters.debug import DebugExporter
from pipeline.signals import Span, Value
from pipeline.testing import configured, traces
from processors import debug_llm

CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}


def _view(**attributes: Value) -> list[str] | None:
    batch = traces(CALL | {key.replace("__", "."): value for key, value in attributes.items()})
    return debug_llm.view(cast("Span", batch.records()[0]))


def test_other_spans_are_not_its_business() -> None:
    assert debug_llm.view(cast("Span", traces({"http.method": "GET"}).records()[0])) is None


def test_the_call_stands_in_one_line() -> None:
    lines = _view(gen_ai__response__model="gpt-4o-mini-2024-07-18", gen_ai__response__finish_reasons=["stop"])
    assert lines == ["openai chat gpt-4o-mini-2024-07-18 (stop)", "time: 1000 ms"]


def test_older_conventions_name_the_provider_as_system() -> None:
    batch = traces({"gen_ai.operation.name": "chat", "gen_ai.system": "mistral_ai"})
    assert (debug_llm.view(cast("Span", batch.records()[0])) or [])[0] == "mistral_ai chat"


def test_failures_are_named() -> None:
    assert (_view(error__type="RateLimitError") or [])[0] == "openai chat gpt-4o-mini failed: RateLimitError"


def test_tokens_cost_and_times() -> None:
    lines = _view(
        gen_ai__usage__input_tokens=53,
        gen_ai__usage__output_tokens=48,
        penstock__cost__usd=0.0000368,
        penstock__cost__quality="exact",
        gen_ai__response__time_to_first_chunk=0.298,
        penstock__latency__time_per_output_token=0.0061,
    )
    assert lines is not None
    assert lines[1:] == [
        "tokens: in 53, out 48",
        "cost: $0.000037 (exact)",
        "time: 1000 ms, first chunk after 298 ms, 6.1 ms per output token",
    ]


def test_a_call_without_a_price_says_why() -> None:
    assert "cost: $2.8e-07 (exact)" in (_view(penstock__cost__usd=2.8e-7, penstock__cost__quality="exact") or [])
    assert "cost: $0.000000 (exact)" in (_view(penstock__cost__usd=0.0, penstock__cost__quality="exact") or [])
    assert "cost: unknown (unknown_model)" in (_view(penstock__cost__unpriced="unknown_model") or [])


def test_an_agent_or_tool_is_named_without_a_model() -> None:
    batch = traces(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.arguments": '{"city":"東京"}',
        }
    )
    assert (debug_llm.view(cast("Span", batch.records()[0])) or [])[:1] == ["execute_tool weather"]
    assert 'arguments: {"city":"東京"}' in (debug_llm.view(cast("Span", batch.records()[0])) or [])


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        ('[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]', "user: Hi"),
        ([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}], "user: Hi"),
        (
            '[{"role":"tool","parts":[{"type":"tool_call_response","response":{"c":21}}]}]',
            'tool: [tool answers {"c":21}]',
        ),
        ('[{"parts":[{"type":"tool_call","name":"f","arguments":{"a":1}}]}]', 'user: [calls f({"a":1})]'),
        ('[{"role":"user","parts":[{"type":"blob","mime_type":"image/png"}]}]', "user: [blob]"),
        ('[{"role":"user","content":"plain"}]', "user: plain"),
        ("not JSON", "user: not JSON"),
        ("5", "user: 5"),
        ('[{"role":"user","parts":null}]', "user: null"),
    ],
)
def test_messages(messages: Any, line: str) -> None:
    assert line in (_view(gen_ai__input__messages=messages) or [])


def test_long_conversations_are_cut() -> None:
    lines = _view(gen_ai__input__messages="[" + ",".join(['{"content":"x"}'] * 60) + "]") or []
    assert lines[-1] == "... 10 more"


async def test_the_debug_exporter_uses_it(capsys: pytest.CaptureFixture[str]) -> None:
    exporter = configured(DebugExporter, verbosity="normal", use_internal_logger=False)
    await exporter.export(traces(CALL))
    assert "\n    openai chat gpt-4o-mini\n" in capsys.readouterr().out
