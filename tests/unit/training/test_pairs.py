from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.adversarial import pairs_check
from training.adversarial.pairs_check import (
    CATEGORIES,
    FOLDER,
    MOST_SHARED,
    Pair,
    load,
    main,
    overlaps,
    report,
    shingles,
)

ROW = {"id": "jailbreak-en-001", "frame": "letter", "attack": "one two three four five six", "benign": "a b c d e f g"}


def _pair(number: int, attack: str, benign: str, language: str = "en") -> Pair:
    return Pair(f"jailbreak-{language}-{number:03}", "jailbreak", language, f"frame {number}", attack, benign)


def _write(folder: Path, name: str, *rows: object) -> Path:
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return folder


def test_words_are_counted_without_case_and_punctuation() -> None:
    assert shingles('"Ignore it," he said - OK', "en") == {("ignore", "it", "he", "said", "ok")}
    assert len(shingles("one two three four five six", "en")) == 2
    assert shingles("too short", "en") == {("too", "short")}


def test_japanese_is_counted_by_characters() -> None:
    assert shingles("あい うえ\nおか", "ja") == {tuple("あいうえお"), tuple("いうえおか")}


def test_texts_are_compared_within_their_side_and_language() -> None:
    first = _pair(1, "one two three four five six", "other words of a twin that is its own")
    second = _pair(2, "zero one two three four five", first.attack)
    japanese = _pair(3, first.attack, first.benign, "ja")
    (only,) = overlaps([first, second, japanese])
    assert only == (0.5, "attack", first.id, second.id)


def test_a_set_out_of_bounds_says_why() -> None:
    pairs = [_pair(number, "the very same attack every time", f"twin number {number}") for number in (1, 2)]
    failures = report(pairs).failures()
    assert failures[0] == "2 pairs, at least 1000 are needed"
    assert "jailbreak: 2 frames, at least 40 are needed" in failures
    assert failures[-1].endswith("1.00 of the shingles of the attack text are shared")
    assert len(failures) == 1 + len(CATEGORIES) + 1


def test_enough_and_varied_pairs_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_check, "LEAST_PAIRS", 2)
    monkeypatch.setattr(pairs_check, "LEAST_FRAMES", 1)
    monkeypatch.setattr(pairs_check, "CATEGORIES", ("jailbreak",))
    other = ROW | {"id": "jailbreak-en-002", "attack": "six five four three two one", "benign": "h i j k l m n"}
    assert main([str(_write(tmp_path, "jailbreak.en.jsonl", ROW, other))]) == 0


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("other.en.jsonl", ROW, "not a category"),
        ("jailbreak.de.jsonl", ROW, "not a category and language"),
        ("jailbreak.en.jsonl", [], "not an object"),
        ("jailbreak.en.jsonl", {"id": "x"}, "not an object of id, frame, attack and benign"),
        ("jailbreak.en.jsonl", ROW | {"more": ""}, "not an object"),
        ("jailbreak.en.jsonl", ROW | {"benign": ""}, "an empty text"),
        ("jailbreak.ja.jsonl", ROW, "does not begin with jailbreak-ja-"),
    ],
)
def test_what_is_not_a_pair_is_refused_with_its_place(tmp_path: Path, name: str, row: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(_write(tmp_path, name, row))
    assert str(caught.value).startswith(name)


def test_an_id_occurs_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than once: jailbreak-en-001"):
        load(_write(tmp_path, "jailbreak.en.jsonl", ROW, ROW))


def test_figures_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(_write(tmp_path, "jailbreak.en.jsonl", ROW))]) == 1
    printed = capsys.readouterr().out
    assert "1000 are needed" in printed
    assert any(line.split() == ["jailbreak", "1", "0", "1"] for line in printed.splitlines())
    assert MOST_SHARED == 0.5


def test_the_written_pairs_are_many_and_varied() -> None:
    assert report(load(FOLDER)).failures() == []
