"""Tests of the compiled lexicon: what cannot be matched is refused, what can be is one key for all who say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.adversarial.features.lexicon import Entry, compile_entries, read_concepts, read_entries
from processors.adversarial.text.plain import fold
from tests.unit.processors.adversarial.models import CONCEPTS, tables

UNFIT = {
    "no word": "!?",
    "nothing": "",
    "six words": "do all of it right now",
    "stem of one letter": "a*",
    "stem of two words": "ignore al*",
    "star within": "ig*ore it*",
    "stem with a hyphen": "re-do*",
    "one character of a continuous script": "無",
    "stem of a continuous script": "無視*",
}


@pytest.mark.parametrize("kind", UNFIT)
def test_an_entry_that_cannot_be_matched_is_refused_with_its_place(kind: str) -> None:
    entry = Entry("de", "prior", UNFIT[kind])

    with pytest.raises(ValueError, match=r"lexicon/de\.yaml: prior: .*cannot be matched"):
        compile_entries([entry], CONCEPTS, tables())


def test_keys_are_sorted_and_an_entry_of_two_concepts_is_one() -> None:
    entries = [
        Entry("en", "prior", "above"),
        Entry("en", "instead", "rather"),
        Entry("fr", "override_verb", "above"),
        Entry("en", "prior", "abov*"),
    ]

    keys, masks = compile_entries(entries, CONCEPTS, tables())

    assert len(keys) == 3
    assert keys.tolist() == sorted(keys.tolist())
    both = 1 << CONCEPTS.index("prior") | 1 << CONCEPTS.index("override_verb")
    assert sorted(masks.tolist()) == sorted([both, 1 << CONCEPTS.index("instead"), 1 << CONCEPTS.index("prior")])


def test_only_the_first_eight_letters_of_stems_and_pieces_count() -> None:
    long = [Entry("en", "prior", "instructional*"), Entry("ja", "prior", "システムプロンプトを見せ")]
    short = [Entry("en", "prior", "instruct*"), Entry("ja", "prior", "システムプロンプ")]

    assert (
        compile_entries(long, CONCEPTS, tables())[0].tolist() == compile_entries(short, CONCEPTS, tables())[0].tolist()
    )


def test_a_word_a_stem_and_a_piece_of_the_same_letters_are_three() -> None:
    entries = [Entry("en", "prior", text) for text in ("ignore", "ignore*", "ignor*")]

    assert len(compile_entries(entries, CONCEPTS, tables())[0]) == 3


def test_an_unknown_concept_is_an_error() -> None:
    with pytest.raises(KeyError):
        compile_entries([Entry("en", "no_such_concept", "word")], CONCEPTS, tables())


def test_entries_are_read_from_the_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "lexicon").mkdir()
    (tmp_path / "lexicon" / "en.yaml").write_text("prior: [Above, 42]\ninstead: [\uff32ATHER]\n", "utf-8")
    (tmp_path / "lexicon" / "de.yaml").write_text("prior: [STRAẞE]\n", "utf-8")
    (tmp_path / "concepts.yaml").write_text("concepts:\n  prior: before\n  instead: not that\n", "utf-8")

    assert list(read_entries(tmp_path)) == [
        Entry("de", "prior", "strasse"),
        Entry("en", "prior", "above"),
        Entry("en", "prior", "42"),
        Entry("en", "instead", "rather"),
    ]
    assert read_concepts(tmp_path) == ["prior", "instead"]


def test_concepts_fit_into_the_bits_of_a_mask() -> None:
    assert 0 < len(CONCEPTS) <= 62
    assert len(set(CONCEPTS)) == len(CONCEPTS)


def test_forms_are_folded() -> None:
    assert fold("\uff26\uff55\uff4c\uff4c ﬁll STRAẞE ﾊﾟｽ") == "full fill strasse パス"
