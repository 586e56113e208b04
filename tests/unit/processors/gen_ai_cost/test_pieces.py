"""The index of pieces leaves out no pattern that fits, and asks for few that do not."""

from __future__ import annotations

from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from processors.gen_ai_cost.matching import Guard, Index, _loose, _needs
from processors.gen_ai_cost.pieces import Pieces
from processors.gen_ai_cost.records import hand_written

TEXTS = st.text("ab-", max_size=8)


@given(patterns=st.lists(st.lists(TEXTS, min_size=1, max_size=3) | st.none(), max_size=8), texts=st.lists(TEXTS))
def test_whatever_has_a_text_that_is_needed_is_possible(patterns: list[list[str] | None], texts: list[str]) -> None:
    possible = Pieces(patterns).possible(*texts)
    fitting = [
        index
        for index, needed in enumerate(patterns)
        if needed is None or any(need in text for need in needed for text in texts)
    ]
    assert set(fitting) <= set(possible)
    assert list(possible) == sorted(set(possible))


def test_what_shares_no_piece_is_not_possible() -> None:
    pieces = Pieces([["gpt-4o"], ["claude-opus"], ["claude-haiku", "haiku"], None, ["o3"]])
    assert list(pieces.possible("gpt-4o-2024-08-06")) == [0, 3, 4]
    assert list(pieces.possible("claude-haiku-4-5", "my-haiku")) == [2, 3, 4]
    assert list(pieces.possible("llama")) == [3, 4]


def test_every_entry_of_the_base_table_is_found_by_what_it_needs() -> None:
    """By the ids of all other entries, with and without more behind them: those that fit are always possible."""
    guard = Guard(hand_written())
    ids = [form for table in providers for info in table.models for form in (info.id.lower(), f"{info.id.lower()}-x")]
    for table in providers:
        loose = [(info, fits) for info in table.models if (fits := _loose(info.match, guard)) is not None]
        pieces = Pieces(_needs(info.match) for info, _ in loose)
        some = ids[:: max(1, len(loose) // 4)]
        for model in some:
            fitting = {index for index, (info, fits) in enumerate(loose) if fits(info, model, False)}
            assert fitting <= set(pieces.possible(model)), (table.id, model)


def test_an_index_finds_what_it_found_one_by_one() -> None:
    openai = next(table for table in providers if table.id == "openai")
    found = Index(openai.models, Guard(hand_written())).find("gpt-4o-mini-2024-07-18", is_exact=False)
    assert found is not None
    assert found.info.id == "gpt-4o-mini"
