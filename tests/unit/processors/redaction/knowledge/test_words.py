"""Context words: where they begin and end, in which case, and how fields write them."""

from __future__ import annotations

import re

import pytest

from processors.redaction.detection.trigger_kinds import split
from processors.redaction.knowledge.words import context_pattern, word_trigger, words_of

WORDS = ("phone", "tax id", "teléfono", "fødselsnummer", "電話")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("my phone is", "phone"),
        ("PHONE:", "PHONE"),
        ("phoneNumber=1", "phone"),
        ("tax_id", "tax_id"),
        ("taxId", "taxId"),
        ("Tax-ID", "Tax-ID"),
        ("Teléfono", "Teléfono"),
        ("TELÉFONO", "TELÉFONO"),
        ("FØDSELSNUMMER", "FØDSELSNUMMER"),
        ("お電話は", "電話"),
    ],
)
def test_words_are_found(text: str, word: str) -> None:
    found = context_pattern(WORDS).search(text)
    assert found is not None
    assert found[0] == word
    assert any(re.search(word_trigger(known), text, re.ASCII | re.IGNORECASE) for known in WORDS)


@pytest.mark.parametrize("text", ["telephones", "phones", "microphone", "syntax idea", "", "telefono"])
def test_parts_of_words_are_not(text: str) -> None:
    assert context_pattern(WORDS).search(text) is None


def test_a_word_touches_no_letter_with_an_accent_but_may_touch_kana() -> None:
    pattern = context_pattern(("code",))
    assert pattern.search("ünïcode") is None
    assert pattern.search("codé") is None
    assert pattern.search("カードcodeは") is not None


def test_the_longest_word_wins() -> None:
    found = context_pattern(("tax", "tax number", "tax number of")).search("tax number of x")
    assert found is not None
    assert found[0] == "tax number of"


def test_lists_stand_for_their_words() -> None:
    assert "ssn" in words_of(["$ssn", "other"])
    assert "other" in words_of(["$ssn", "other"])
    with pytest.raises(KeyError):
        words_of(["$no_such_list"])


@pytest.mark.parametrize(("text", "hit"), [("a tin 1", True), ("tin", True), ("tint", False), ("satin 1", False)])
def test_a_short_trigger_stands_by_itself(text: str, hit: bool) -> None:
    assert bool(re.search(word_trigger("tin"), text, re.IGNORECASE)) is hit


@pytest.mark.parametrize(
    ("word", "count"), [("social security", 4), ("número de cuenta", 32), ("passport", 1), ("電話 番号", 4)]
)
def test_a_long_word_is_looked_for_as_plain_text(word: str, count: int) -> None:
    literals = split(word_trigger(word))
    assert len(set(literals)) == count
    assert word in literals
    assert {re.sub(r"[ _-]", "", literal).lower() for literal in literals} == {word.replace(" ", "")}


def test_what_a_phrase_is_split_into_finds_the_same() -> None:
    trigger = word_trigger("número of sécu number")
    found = {literal for literal in split(trigger) if re.fullmatch(trigger, literal)}
    assert found == set(split(trigger))
    assert {"NÚMERO of_sécu".lower(), "nÚmeroof-sÉcu"} <= found


def test_the_trigger_knows_both_cases_of_letters_that_are_not_ascii() -> None:
    trigger = word_trigger("numéro")
    assert re.search(trigger, "NUMÉRO", re.ASCII | re.IGNORECASE)
    assert re.search(trigger, "numéro", re.ASCII | re.IGNORECASE)
