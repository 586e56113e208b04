"""The lexicon's files: every entry can be matched, and every language says every concept."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
import yaml

from processors.adversarial.features.lexicon import FOLDER, read_concepts
from processors.adversarial.text.plain import fold

CONCEPTS = read_concepts()
FILES = sorted((FOLDER / "lexicon").glob("*.yaml"))
SHARED = "common"
STEM_LENGTH = 8
CONTINUOUS = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
HANGUL = re.compile("[\uac00-\ud7a3]")
WORD = re.compile(r"[^\W_]+")
JOINING = re.compile("[\u0300-\u036f\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u200c\u200d]")
SIGNED_WORD = re.compile(rf"(?:[^\W_]|{JOINING.pattern})+")


@cache
def _entries(path_index: int) -> dict[str, list[str]]:
    loaded = yaml.load(FILES[path_index].read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(loaded, dict)
    return loaded


def _key(entry: str) -> str:
    """What is compared of an entry: digits are alike, stems and pieces are cut."""
    text = re.sub(r"\d", "0", fold(entry))
    if CONTINUOUS.search(text):
        return text[:STEM_LENGTH]
    if text.endswith("*"):
        return text[:-1][:STEM_LENGTH] + "*"
    return " ".join(SIGNED_WORD.findall(text))


def _fault(entry: object) -> str | None:
    if not isinstance(entry, str):
        return "is not text: quote it"
    text = fold(entry)
    if CONTINUOUS.search(text):
        return None if len(text) >= 2 and not set(text) & set("* ") else "is not a piece of 2 characters or more"
    words = WORD.findall(JOINING.sub("", text))
    if not 1 <= len(words) <= 5:
        return "is not 1 to 5 words"
    if "*" not in text:
        return None
    stem = text[:-1]
    shortest = 2 if HANGUL.search(stem) else 3
    is_one_word = len(words) == 1 and "*" not in stem and not re.search(r"\s|['-]", stem)
    return None if text.endswith("*") and is_one_word and len(stem) >= shortest else "is not a stem"


@pytest.fixture(params=range(len(FILES)), ids=[path.stem for path in FILES])
def number(request: pytest.FixtureRequest) -> int:
    assert isinstance(request.param, int)
    return request.param


def test_concepts_are_known_and_all_there(number: int) -> None:
    names = set(_entries(number))
    assert names <= set(CONCEPTS)
    if FILES[number].stem != SHARED:
        assert names == set(CONCEPTS)


def test_entries_can_be_matched(number: int) -> None:
    faults = [
        f"{concept}: {entry!r} {fault}"
        for concept, entries in _entries(number).items()
        for entry in entries
        if (fault := _fault(entry))
    ]
    assert faults == []


def test_a_concept_has_no_entry_twice(number: int) -> None:
    twice = {
        concept: again
        for concept, entries in _entries(number).items()
        if (again := [key for key, count in Counter(map(_key, entries)).items() if count > 1])
    }
    assert twice == {}


def test_there_are_several_thousand_entries(capsys: pytest.CaptureFixture[str]) -> None:
    totals = {path.stem: sum(map(len, _entries(index).values())) for index, path in enumerate(FILES)}
    with capsys.disabled():
        print(f"\nlexicon: {sum(totals.values())} entries: {totals}")
    assert sum(totals.values()) > 1_500
