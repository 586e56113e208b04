"""`penstock price`: what it prints, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import PenstockError
from processors.gen_ai_cost.command import price

CONFIG = """
receivers: {otlp: {protocols: {grpc: {endpoint: localhost:0}}}}
exporters: {debug: }
processors:
  gen_ai_cost:
    overrides:
      - {match: {provider: vllm, model: llama-*}, gpu_hour_usd: 2.5, gpus: 4, concurrency: 8}
      - {match: {model: in-euro}, input_per_mtok: 2, output_per_mtok: 4, currency: EUR, usd_per_unit: 1.25}
      - {match: {model: dated}, history: [{from: 2026-01-01, input_per_mtok: 3}, {from: 2026-07-01, input_per_mtok: 2}]}
  gen_ai_cost/other:
service: {pipelines: {traces: {receivers: [otlp], processors: [gen_ai_cost], exporters: [debug]}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "penstock.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return str(file)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[str]:
    assert price(list(arguments)) == code
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_price_is_explained_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(
        capsys,
        "Anthropic",
        "anthropic/claude-sonnet-4-5",
        *("--input", "47_746", "--output", "342", "--cached", "1200", "--cache-write", "46209"),
        *("--cache-write-1h", "200", "--at", "2026-11-15"),
    )
    assert "names: provider anthropic, model claude-sonnet-4-5" in lines
    assert "at: 2026-11-15 00:00:00 UTC" in lines
    assert "input tokens 337 x 3 per million = 0.001011 USD" in lines
    assert "cache write 1h tokens 200 x 6 per million = 0.0012 USD" in lines
    assert lines[-1] == "total = 0.18023475 USD"
    assert any(line.startswith("price: anthropic/claude-sonnet-4-5@genai-prices-") for line in lines)


def test_an_interval_ends_where_the_price_changes(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "openai", "o3", "--input", "1000", "--at", "2025-06-01T12:00:00+02:00")
    assert "interval: since ever, to 2025-06-10" in lines
    assert "at: 2025-06-01 10:00:00 UTC" in lines


def test_prices_by_the_hour_and_by_size_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert any(
        line.startswith("by the hour: prices change at 00:00, ")
        for line in said(capsys, "deepseek", "deepseek-chat", "--input", "1", "--at", "2025-03-01")
    )
    assert "size: prices of requests of 200001 input tokens" in said(
        capsys, "gcp.gemini", "gemini-2.5-pro", "--input", "200001"
    )


def test_overrides_are_those_of_the_configuration(capsys: pytest.CaptureFixture[str], config: str) -> None:
    chosen = ("--config", config, "--processor", "gen_ai_cost")
    lines = said(capsys, "vllm", "llama-70b", "--input", "5", "--seconds", "6", *chosen)
    assert lines[-1] == "total = 0.002083333333 USD"
    assert "seconds 6 x 0.000347222222 = 0.002083333333 USD" in lines
    lines = said(capsys, "acme", "in-euro", "--input", "1000000", *chosen)
    assert lines[-2:] == ["total = 2.5 USD", "1 EUR = 1.25 USD = 2 EUR"]
    lines = said(capsys, "acme", "dated", "--input", "1000000", "--at", "2026-03-01", *chosen)
    assert lines[-1] == "total = 3 USD"
    assert "interval: since 2026-01-01, to 2026-07-01" in lines


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["ollama", "llama3", "--input", "1"], "self_hosted"), (["openai", "no-such-model"], "unknown_model")],
)
def test_what_has_no_price_ends_with_its_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert price(arguments) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == f"unpriced: {reason}"
    assert err == f"Error: no price: {reason}; what helps: docs/cost.md, Why a call has no price\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["openia", "gpt-4o"], "unknown_provider; did you mean openai?"),
        (["openai", "gpt-4o", "--tier", "bacth"], "nobody knows a tier 'bacth': there are standard, batch, fast, flex"),
    ],
)
def test_what_may_have_been_meant_is_said(capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str) -> None:
    assert price(arguments) == 1
    assert hint in capsys.readouterr().err


def test_tokens_of_a_kind_without_a_price_have_none(capsys: pytest.CaptureFixture[str], config: str) -> None:
    chosen = ("--config", config, "--processor", "gen_ai_cost")
    assert price(["acme", "dated", "--output", "5", *chosen]) == 1
    assert "no price: no_rate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--input", "1", "--cached", "2"], "--input counts all tokens of its kind; 1 cannot contain 2"),
        (["--output", "1", "--audio-output", "2"], "--output counts"),
        (["--input", "9", "--cache-write", "1", "--cache-write-1h", "2"], "--cache-write counts"),
    ],
)
def test_parts_are_in_the_whole(arguments: list[str], reason: str) -> None:
    with pytest.raises(PenstockError, match=reason):
        price(["openai", "gpt-4o", *arguments])


def test_the_processor_must_be_clear(config: str) -> None:
    with pytest.raises(PenstockError, match=r"no processor \"x\".*there are gen_ai_cost, gen_ai_cost/other"):
        price(["openai", "gpt-4o", "--config", config, "--processor", "x"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--input", "-1"], "'-1' is no number of tokens: 0 to 1000000000"),
        (["--input", "many"], "'many' is no number of tokens"),
        (["--input", "1" * 5000], "is no number of tokens"),
        (["--at", "soon"], "'soon' is no date; write for example 2026-07-01"),
        (["--seconds", "nan"], "'nan' is no number of seconds"),
        (["--seconds", "long"], "'long' is no number of seconds"),
    ],
)
def test_values_that_are_none_are_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        price(["openai", "gpt-4o", *arguments])
    assert ended.value.code == 1
    err = capsys.readouterr().err
    assert err.startswith(f"Error: argument {arguments[0]}: ")
    assert reason in err


def test_keys_are_set_over_a_file_only(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--config", config, "--processor", "gen_ai_cost/other")
    override = "processors.gen_ai_cost/other.overrides=[{per_request: 2}]"
    assert said(capsys, "acme", "x", *chosen, "--set", override)[-1] == "total = 2 USD"
    with pytest.raises(PenstockError, match="--config"):
        price(["openai", "gpt-4o", "--set", override])
