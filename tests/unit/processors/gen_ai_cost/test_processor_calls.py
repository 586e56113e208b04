"""Which records are calls, in traces and logs, and what an earlier pass left on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from pipeline.signals import Batch, Signal
from pipeline.signals.intake import of_message, parse
from pipeline.testing import START_NS, FakeClock, configured, log_request, make_host, metric_value, traces
from processors.demo.recordings import load
from processors.gen_ai_cost.pricing import Pricing
from processors.gen_ai_cost.processor import GenAiCost
from processors.gen_ai_cost.tables import price_book
from processors.gen_ai_cost.tally import Tally
from processors.gen_ai_normalizer import GenAiNormalizer
from tests.unit.processors.gen_ai_cost.calls import ANY_SPANS, Attributes

TOKENS: dict[str, Any] = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
NAMES: dict[str, Any] = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
CALL = NAMES | TOKENS
USD = 1000 * 0.15e-6 + 100 * 0.6e-6


@pytest.fixture(scope="module")
def processor() -> GenAiCost:
    made: GenAiCost = configured(GenAiCost)
    return made


def costs(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            key.removeprefix("penstock.cost."): value
            for key, value in record.attributes.items()
            if "penstock.cost" in key
        }
        for record in batch.records()
    ]


def cost_of_span(processor: GenAiCost, attributes: dict[str, Any]) -> dict[str, Any]:
    (found,) = costs(processor.process(traces(attributes)))
    return found


@pytest.mark.parametrize("operation", ["chat", "generate_content", "text_completion", "embeddings", "rerank"])
def test_without_a_normaliser_an_operation_that_calls_a_model_is_a_call(processor: GenAiCost, operation: str) -> None:
    assert cost_of_span(processor, {**CALL, "gen_ai.operation.name": operation})["usd"] == pytest.approx(USD)


def test_without_an_operation_what_counts_both_is_a_call(processor: GenAiCost) -> None:
    assert cost_of_span(processor, CALL)["usd"] == pytest.approx(USD)
    half = {key: value for key, value in CALL.items() if key != "gen_ai.usage.output_tokens"}
    assert cost_of_span(processor, half) == {}


@pytest.mark.parametrize(
    "more",
    [
        {"gen_ai.agent.name": "writer"},
        {"gen_ai.tool.name": "search"},
        {"penstock.dialect": "opentelemetry"},
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "invoke_workflow"},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.operation.name": "create_agent"},
        {"gen_ai.operation.name": "chat", "penstock.dialect": "opentelemetry"},
        {"gen_ai.operation.name": "chat", "penstock.gen_ai.role": "aggregate"},
        {"gen_ai.operation.name": "chat", "penstock.gen_ai.role": "duplicate"},
        {"gen_ai.operation.name": "chat", "penstock.gen_ai.role": 5},
    ],
)
def test_other_spans_are_none(processor: GenAiCost, more: dict[str, Any]) -> None:
    assert cost_of_span(processor, {**CALL, **more}) == {}


@pytest.mark.parametrize("more", [{}, {"gen_ai.operation.name": "invoke_agent"}])
def test_what_a_normaliser_counts_is_a_call(processor: GenAiCost, more: dict[str, Any]) -> None:
    found = cost_of_span(processor, {**CALL, **more, "penstock.dialect": "x", "penstock.gen_ai.role": "leaf"})
    assert found["usd"] == pytest.approx(USD)


def test_names_of_older_conventions_are_read(processor: GenAiCost) -> None:
    older = {
        **TOKENS,
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "o4-mini",
        "gen_ai.openai.response.service_tier": "flex",
    }
    assert cost_of_span(processor, older)["usd"] == pytest.approx((1000 * 1.1e-6 + 100 * 4.4e-6) / 2)


def test_the_model_that_answered_is_billed(processor: GenAiCost) -> None:
    call = {**CALL, "gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4.1-nano-2025-04-14"}
    assert cost_of_span(processor, call)["usd"] == pytest.approx(1000 * 0.1e-6 + 100 * 0.4e-6)


def test_a_tier_that_was_asked_for_says_nothing(processor: GenAiCost) -> None:
    call = {**CALL, "gen_ai.operation.name": "chat", "openai.request.service_tier": "priority"}
    assert cost_of_span(processor, call)["usd"] == pytest.approx(USD)
    both = {"openai.response.service_tier": "default", "gen_ai.response.service_tier": "batch"}
    assert cost_of_span(processor, call | both)["usd"] == pytest.approx(USD)


def logged(processor: GenAiCost, attributes: dict[str, Any], **fields: int) -> dict[str, Any]:
    request = log_request("api_request", attributes=attributes)
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    for name, value in fields.items():
        setattr(record, name, value)
    (found,) = costs(processor.process(of_message(Signal.LOGS, request)))
    return found


def test_a_log_record_is_a_call_only_where_a_normaliser_says_so(processor: GenAiCost) -> None:
    call = {**CALL, "gen_ai.operation.name": "chat"}
    assert logged(processor, call) == {}
    assert logged(processor, call | {"penstock.gen_ai.role": "leaf"})["usd"] == pytest.approx(USD)


@pytest.mark.parametrize("field", ["time_unix_nano", "observed_time_unix_nano"])
def test_a_log_record_has_the_price_of_its_time(processor: GenAiCost, field: str) -> None:
    call = {**TOKENS, "gen_ai.provider.name": "openai", "gen_ai.request.model": "o3", "penstock.gen_ai.role": "leaf"}
    times = {"time_unix_nano": 0, field: 1_748_000_000 * 10**9}
    before, after = logged(processor, call, **times), logged(processor, call, **{**times, field: START_NS * 2})
    assert before["usd"] == pytest.approx(5 * after["usd"])


def test_a_log_record_does_not_say_how_long_a_call_took() -> None:
    processor = configured(GenAiCost, overrides=[{"gpu_hour_usd": 3.6}])
    call = {**CALL, "penstock.gen_ai.role": "leaf"}
    assert logged(processor, call) == {"unpriced": "no_duration"}
    assert cost_of_span(processor, call)["usd"] == pytest.approx(0.001)


@pytest.mark.parametrize("dialect", ["claude-code", "codex", "gemini-cli"])
def test_calls_of_coding_agents_are_priced_once(dialect: str) -> None:
    priced = 0
    for recording in load():
        if recording.dialect == dialect:
            normalizer, processor = configured(GenAiNormalizer), configured(GenAiCost)
            exports = [export for export in recording.exports() if export.signal in ("traces", "logs")]
            batches = [of_message(Signal(export.signal), export.message()) for export in exports]
            found = [cost for batch in batches for cost in costs(processor.process(normalizer.process(batch)))]
            assert sum(bool(cost) for cost in found) <= recording.truth["counts"].get("calls", len(found))
            priced += sum("usd" in cost for cost in found)
    assert priced


def test_what_an_agent_states_of_its_call_is_what_it_costs() -> None:
    recordings = {(found.dialect, found.scenario): found for found in load()}
    processor = configured(GenAiCost)
    for export in recordings["claude-code", "logs_only"].exports():
        if export.signal == "logs":
            batch = configured(GenAiNormalizer).process(of_message(Signal.LOGS, export.message()))
            processor.process(batch)
    assert metric_value(processor.host, "penstock_cost_stated_calls_total", agrees="yes") == 1
    assert metric_value(processor.host, "penstock_cost_stated_calls_total", agrees="no") == 0


EARLIER: dict[str, Any] = {
    "penstock.cost.usd": 99.0,
    "penstock.cost.cache_read_usd": 9.0,
    "penstock.cost.quality": "estimated",
    "penstock.cost.currency": "EUR",
    "penstock.cost.unpriced": "no_usage",
}


def test_results_of_an_earlier_pass_are_replaced(processor: GenAiCost) -> None:
    call = {**CALL, "gen_ai.operation.name": "chat"}
    assert cost_of_span(processor, call | EARLIER) == cost_of_span(processor, call)
    assert cost_of_span(processor, call | EARLIER | {"gen_ai.request.model": "x"}) == {"unpriced": "unknown_model"}
    for key, value in EARLIER.items():
        batch = processor.process(traces(call | {key: value}))
        (pairs,) = [span.attributes for span in _spans(batch)]
        assert len({pair.key for pair in pairs}) == len(pairs)


def _spans(batch: Batch) -> Any:
    request: Any = Signal.TRACES.request_class.FromString(batch.serialize())
    return request.resource_spans[0].scope_spans[0].spans


def test_an_amount_in_another_currency_is_kept() -> None:
    override = {"input_per_mtok": 1.0, "output_per_mtok": 0, "currency": "EUR", "usd_per_unit": 1.25}
    found = cost_of_span(configured(GenAiCost, overrides=[override]), {**CALL, "gen_ai.operation.name": "chat"})
    assert (found["usd"], found["amount"], found["currency"]) == (pytest.approx(0.00125), pytest.approx(0.001), "EUR")
    assert found["price_id"] == "openai/gpt-4o-mini@overrides[0]"


def test_a_table_of_the_operators_is_asked_before_the_public_ones(tmp_path: Path) -> None:
    table = tmp_path / "prices.json"
    entry = {"litellm_provider": "openai", "input_cost_per_token": 1e-3, "output_cost_per_token": 0}
    table.write_text(json.dumps({"gpt-4o-mini": entry}), encoding="utf-8")
    processor = configured(GenAiCost, tables=[table])
    assert cost_of_span(processor, {**CALL, "gen_ai.operation.name": "chat"})["usd"] == pytest.approx(1.0)
    assert metric_value(processor.host, "penstock_cost_table_age_days", table="prices.json") != 0.0


async def test_the_age_of_tables_is_told() -> None:
    clock = FakeClock()
    processor = configured(GenAiCost, make_host("gen_ai_cost", clock=clock))
    before = metric_value(processor.host, "penstock_cost_table_age_days", table="supplement")
    await clock.advance(3 * 86_400)
    assert metric_value(processor.host, "penstock_cost_table_age_days", table="supplement") == pytest.approx(before + 3)


def test_a_loan_from_a_model_without_a_price_is_told(caplog: pytest.LogCaptureFixture) -> None:
    configured(GenAiCost, overrides=[{"match": {"model": "a"}, "same_as": {"provider": "openai", "model": "gpt-4oo"}}])
    (record,) = caplog.records
    assert "override" in record.getMessage()


@given(span=ANY_SPANS)
def test_the_short_way_and_the_long_way_say_the_same(processor: GenAiCost, span: Attributes) -> None:
    pricing = Pricing(processor.config, price_book(processor.config), Tally(processor.host.meter))
    (record,) = traces(span).records()
    quick = pricing.quick(record, record.attributes)
    if quick is not None:
        assert quick == pytest.approx(dict(pricing.results(record, record.attributes)))


def test_a_batch_that_was_parsed_comes_out_whole(processor: GenAiCost) -> None:
    raw = traces({**CALL, "gen_ai.operation.name": "chat"}, {"http.request.method": "GET"}).serialize()
    once = processor.process(parse(Signal.TRACES, raw)).serialize()
    assert processor.process(parse(Signal.TRACES, once)).serialize() == once
