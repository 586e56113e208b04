"""Tests of blocks: pieces have the hash of what they say, wherever they stand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.features.block import GAP, MAX_CODES
from tests.unit.processors.adversarial.models import block_of

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)
BASE = 0x9E3779B97F4A7C15


def piece_hash(text: str) -> int:
    """The polynomial, by the definition of it: digits are one, so are spaces."""
    codes = [ord("0") if "0" <= letter <= "9" else ord(" ") if letter in "\t\v\f\r" else ord(letter) for letter in text]
    return sum((code + 1) * pow(BASE, place, 1 << 64) for place, code in enumerate(codes)) % (1 << 64)


def words_of(text: str) -> list[str]:
    block = block_of(text)
    begin = int(block.starts[0])
    starts, ends = block.words
    return [text[start - begin : end - begin] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


@settings(max_examples=150)
@given(st.lists(ANY_TEXT, max_size=3), ANY_TEXT, st.lists(ANY_TEXT, max_size=3), st.data())
def test_the_hash_of_a_piece_is_that_of_its_text(
    before: list[str], text: str, behind: list[str], data: st.DataObject
) -> None:
    block = block_of(*before, text, *behind)
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    start = int(block.starts[len(before)])

    found = block.hashes(np.array([start + first]), np.array([start + last]))

    assert int(found[0]) == piece_hash(text[first:last])


@settings(max_examples=100)
@given(st.lists(ANY_TEXT, min_size=1, max_size=5))
def test_texts_stand_where_it_says_with_line_feeds_around(texts: list[str]) -> None:
    block = block_of(*texts)
    joined = ("\n" * GAP).join(["", *texts, ""])

    assert block.size == len(block.classes) == len(joined)
    places = zip(block.starts.tolist(), block.ends.tolist(), strict=True)
    assert [joined[start:end] for start, end in places] == texts
    assert block.text_of(block.starts).tolist() == list(range(len(texts)))
    assert block.text_of(block.ends).tolist() == list(range(len(texts)))


@settings(max_examples=60)
@given(st.text(max_size=40), st.integers(1, 8))
def test_runs_are_hashes_of_so_many_code_points_from_each_place(text: str, length: int) -> None:
    block = block_of(text)
    begin = int(block.starts[0])

    [found] = block.runs(range(length, length + 1), 0, block.size - GAP)

    padded = text + "\n" * GAP
    for place in range(len(text)):
        assert int(found[begin + place]) == piece_hash(padded[place : place + length])


def test_ascii_and_other_blocks_hash_alike() -> None:
    text = "Call me on 555-0199\tor at 7\r\nplease"
    ascii_block, other = block_of(text), block_of(text, "é")
    size = len(text) + GAP

    assert (ascii_block.is_ascii, other.is_ascii) == (True, False)
    assert ascii_block.sums[:size].tolist() == other.sums[:size].tolist()
    assert ascii_block.classes[:size].tolist() == other.classes[:size].tolist()


def test_a_digit_is_any_digit_and_a_tab_is_a_space() -> None:
    one, other = block_of("room 12\tfloor 3"), block_of("room 98 floor 0")

    assert one.sums.tolist() == other.sums.tolist()


def test_the_largest_block() -> None:
    text = "word " * ((MAX_CODES - 2 * GAP) // 5)
    block = block_of(text)
    starts, ends = block.words

    assert len(set(block.hashes(starts, ends).tolist())) == 1
    assert len(starts) == len(text) // 5


def test_words_of_scripts_that_write_them_apart() -> None:
    assert words_of("Hello, wide world - it's 42!") == ["Hello", "wide", "world", "it", "s", "42"]
    assert words_of("पिछले निर्देशों को") == ["पिछले", "निर्देशों", "को"]
    assert words_of("تجاهل جميع التعليمات، الآن") == ["تجاهل", "جميع", "التعليمات", "الآن"]
    assert words_of("이전의 지시를 무시해") == ["이전의", "지시를", "무시해"]
    assert words_of("файл_имя «это»") == ["файл", "имя", "это"]


def test_scripts_that_do_not_write_words_apart_have_none() -> None:
    assert words_of("以前の指示を無視") == []
    assert words_of("ละเว้นคำสั่ง") == []
    assert words_of("AIの指示をignoreして") == ["AI", "ignore"]


def test_pieces_of_continuous_scripts_begin_up_to_seven_places_before_them() -> None:
    text = "abcdefghij漢klm"
    block = block_of(text)

    places = (block.continuous - block.starts[0]).tolist()

    assert places == list(range(3, 11))
    assert block_of("plain").continuous.tolist() == []
    assert block_of("plainé").continuous.tolist() == []


def test_empty_texts_have_places_too() -> None:
    block = block_of("", "", "a")

    assert (block.ends - block.starts).tolist() == [0, 0, 1]
    assert block.text_of(block.starts).tolist() == [0, 1, 2]
