"""Words of rules that stand for several values."""

from __future__ import annotations

import pytest

from processors.gen_ai_normalizer.knowledge.matching import fits, mapped

TABLE = {"*": None, "OpenAI*": "openai", "*ImageGenerator": None, "*Generator": "chat", "OpenAIGenerator": "completion"}


@pytest.mark.parametrize(
    ("value", "word", "expected"),
    [
        ("chat", "chat", True),
        ("chat", "cha", False),
        ("OpenAIChatGenerator", "OpenAI*", True),
        ("OpenAIChatGenerator", "*Generator", True),
        ("OpenAIChatGenerator", "*Retriever", False),
        ("anything", "*", True),
    ],
)
def test_words_fit_values_whole_by_their_beginning_or_by_their_end(value: str, word: str, expected: bool) -> None:
    assert fits(value, word) is expected


def test_a_table_answers_for_the_value_itself_first_then_in_its_order_then_for_all_others() -> None:
    assert mapped("OpenAIGenerator", TABLE) == "completion"
    assert mapped("OpenAIImageGenerator", TABLE) == "openai"
    assert mapped("DALLEImageGenerator", TABLE) is None
    assert mapped("MistralChatGenerator", TABLE) == "chat"
    assert mapped("PromptBuilder", TABLE) is None
    assert mapped("PromptBuilder", {"x": "y"}) == "PromptBuilder"
