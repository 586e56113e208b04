"""Input with what was cached, output with reasoning: by proof, else by what is known of the source."""

from __future__ import annotations

from typing import Any

import pytest

from processors.gen_ai_normalizer.documents import Documents, Source
from processors.gen_ai_normalizer.usage import Accounting, UsageNames

IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
AUDIO_IN, AUDIO_OUT = "gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio.output_tokens"
PROVIDER = "gen_ai.provider.name"


def settled(attributes: dict[str, Any], **how: Any) -> dict[str, Any]:
    found = dict(attributes)
    Accounting(UsageNames(), **how).settle(found, Documents(found))
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
    assert settled({IN: 0, OUT: 7}) == {IN: 0, OUT: 7}


def test_zeros_that_carry_no_information_go() -> None:
    assert settled({IN: 5, OUT: 7, READ: 0}, zero_is_unknown=(READ,)) == {IN: 5, OUT: 7}


@pytest.mark.parametrize("bad", ["7", -1, True, 1.5, None])
def test_counts_that_are_none_change_nothing(bad: Any) -> None:
    usage = {IN: 5, OUT: 7, READ: bad}
    assert settled(usage, excludes_cache=frozenset({None})) == usage
