"""Input with what was cached, output with reasoning: by proof, else by what is known of the source."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.counting.usage import Accounting, UsageNames
from processors.gen_ai_normalizer.reading.documents import Documents, Source

IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
AUDIO_IN, AUDIO_OUT = "gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio.output_tokens"
PROVIDER = "gen_ai.provider.name"


def settled(attributes: dict[str, Any], **how: Any) -> dict[str, Any]:
    found = dict(attributes)
    Accounting(UsageNames(), UsageNames().details, **how).settle(found, Documents(found))
    return found


def test_a_source_that_includes_the_cache_is_left_alone() -> None:
    usage = {IN: 1000, OUT: 10, READ: 900}
    assert settled(usage, totals=(Source("total"),)) == usage
    assert settled({**usage, "total": 1010}, totals=(Source("total"),))[IN] == 1000


def test_the_sum_proves_that_the_cache_is_not_included() -> None:
    usage = {IN: 100, OUT: 10, READ: 60, WRITE: 30, "total": 200}
    assert settled(usage, totals=(Source("total"),))[IN] == 190


def test_more_cached_than_counted_is_proof_too() -> None:
    assert settled({IN: 12, OUT: 40, READ: 1000})[IN] == 1012


def test_where_numbers_prove_nothing_the_provider_decides() -> None:
    usage = {IN: 100, OUT: 10, READ: 60, PROVIDER: "anthropic"}
    assert settled(usage, excludes_cache=frozenset({"anthropic"}))[IN] == 160
    assert settled({**usage, PROVIDER: "openai"}, excludes_cache=frozenset({"anthropic"}))[IN] == 100


def test_the_maker_of_the_model_decides_where_nobody_names_the_provider() -> None:
    usage = {IN: 100, OUT: 10, READ: 60, "gen_ai.request.model": "claude-sonnet-4-5"}
    found = settled(usage, excludes_cache=frozenset({"anthropic"}))
    assert found[IN] == 160
    assert PROVIDER not in found


def test_what_is_left_of_a_sum_that_holds_reasoning_is_output() -> None:
    how: dict[str, Any] = {"totals": (Source("total"),), "sum_holds_reasoning": frozenset({"gcp.gemini"})}
    usage = {IN: 8, OUT: 20, "total": 128, PROVIDER: "gcp.gemini"}
    assert settled(usage, **how)[OUT] == 120
    assert settled({IN: 8, "total": 108, PROVIDER: "gcp.gemini"}, **how)[OUT] == 100
    assert settled({**usage, PROVIDER: "openai"}, **how)[OUT] == 20
    assert settled({**usage, "total": 28}, **how)[OUT] == 20
    assert settled({**usage, REASONING: 100}, **how)[OUT] == 120


def test_reasoning_beside_the_output_is_added() -> None:
    assert settled({IN: 5, OUT: 20, REASONING: 100})[OUT] == 120
    assert settled({IN: 5, OUT: 20, REASONING: 10, "total": 35}, totals=(Source("total"),))[OUT] == 30
    assert settled({IN: 5, OUT: 20, REASONING: 10})[OUT] == 20


def test_separate_details_are_added_unless_the_sum_holds_them_already() -> None:
    usage = {IN: 40, OUT: 20, READ: 60, REASONING: 30, AUDIO_IN: 5, AUDIO_OUT: 2}
    separate = settled(usage, details_are_separate=True)
    assert (separate[IN], separate[OUT]) == (105, 52)
    usage = {IN: 100, OUT: 50, READ: 60, REASONING: 30, "total": 150}
    assert settled(usage, details_are_separate=True, totals=(Source("total"),)) == usage


def test_nothing_at_all_is_not_known() -> None:
    assert settled({IN: 0, OUT: 0}) == {}


def test_an_input_of_zero_is_not_known_unless_all_of_it_was_cached() -> None:
    assert settled({IN: 0, OUT: 10}) == {OUT: 10}
    assert settled({IN: 0, OUT: 10, READ: 60})[IN] == 60


def test_zeros_that_carry_no_information_go() -> None:
    assert settled({IN: 5, OUT: 7, READ: 0}, zero_is_unknown=(READ,)) == {IN: 5, OUT: 7}


@pytest.mark.parametrize("bad", ["7", -1, True, 1.5, None])
def test_counts_that_are_none_change_nothing(bad: Any) -> None:
    usage = {IN: 5, OUT: 7, READ: bad}
    assert settled(usage, excludes_cache=frozenset({None})) == usage


SUM = {"totals": (Source("total"),)}


@pytest.mark.parametrize(
    ("beside", "raised"),
    [
        ({READ: 60}, (60, 0)),
        ({READ: 60, WRITE: 30}, (90, 0)),
        ({REASONING: 15}, (0, 15)),
        ({READ: 60, REASONING: 15}, (60, 15)),
        ({READ: 60, WRITE: 30, REASONING: 15}, (90, 15)),
    ],
    ids=lambda value: "+".join(key.split(".")[2] for key in value) if isinstance(value, dict) else "",
)
def test_the_sum_says_what_stands_beside_its_parts(beside: dict[str, int], raised: tuple[int, int]) -> None:
    total = 100 + 40 + sum(beside.values())
    found = settled({IN: 100, OUT: 40, **beside, "total": total}, **SUM)
    assert (found[IN] - 100, found[OUT] - 40) == raised


def test_of_what_is_cached_only_a_part_may_stand_beside_the_input() -> None:
    """An input with what was read, without what was written."""
    usage = {IN: 1000, OUT: 40, READ: 900, WRITE: 2000, "total": 3040}
    assert settled(usage, **SUM)[IN] == 3000


def test_a_sum_of_what_is_there_proves_nothing() -> None:
    usage = {IN: 12, OUT: 40, READ: 10, REASONING: 7, "total": 52, PROVIDER: "aws.bedrock"}
    assert settled(usage, **SUM)[IN] == 12
    assert settled(usage, **SUM, excludes_cache=frozenset({"aws.bedrock"}))[IN] == 22
    assert settled(usage, **SUM, excludes_reasoning=frozenset({"aws.bedrock"}))[OUT] == 47
    assert settled({**usage, READ: 1000}, **SUM)[IN] == 1012


def test_where_either_may_be_meant_the_source_decides() -> None:
    usage = {IN: 100, OUT: 40, READ: 30, REASONING: 30, "total": 170, PROVIDER: "gcp.gemini"}
    thoughts = settled(usage, **SUM, excludes_reasoning=frozenset({"gcp.gemini"}))
    assert (thoughts[IN], thoughts[OUT]) == (100, 70)
    cached = settled(usage, **SUM)
    assert (cached[IN], cached[OUT]) == (130, 40)


def test_other_tokens_in_the_sum_prove_nothing() -> None:
    """Gemini counts the prompt of tool use apart."""
    usage = {IN: 100, OUT: 40, READ: 30, "total": 140 + 11}
    assert settled(usage, **SUM) == usage


def test_what_was_written_for_an_hour_is_part_of_what_was_written() -> None:
    hour = "penstock.gen_ai.usage.cache_creation_1h.input_tokens"
    assert settled({IN: 100, OUT: 4, WRITE: 30, hour: 20})[WRITE] == 30
    assert settled({IN: 100, OUT: 4, WRITE: 10, hour: 20})[WRITE] == 30
    assert settled({IN: 100, OUT: 4, hour: 20})[WRITE] == 20


def test_a_count_that_is_raised_in_its_own_place_is_kept() -> None:
    raw_keys = {IN: "raw"}
    assert settled({IN: 12, OUT: 4, READ: 100}, raw_keys=raw_keys)["raw"] == 12
    assert "raw" not in settled({IN: 120, OUT: 4, READ: 100}, raw_keys=raw_keys)
    assert "raw" not in settled({IN: 12, OUT: 4, READ: 100})


@pytest.mark.parametrize(("originals", "raw"), [("keep", 12), ("move", 12), ("drop", None)])
def test_what_a_library_counted_stands_beside_what_is_counted_now(originals: str, raw: int | None) -> None:
    processor = configured(GenAiNormalizer, originals=originals)
    span: dict[str, Any] = {"gen_ai.operation.name": "chat", IN: 12, OUT: 4, READ: 1000}
    (record,) = processor.process(traces(span)).records()
    assert record.attributes[IN] == 1012
    assert record.attributes.get(f"penstock.original.{IN}") == raw
