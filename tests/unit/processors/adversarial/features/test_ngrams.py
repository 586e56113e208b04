"""Tests of hashed n-grams: a weight counts wherever its n-gram stands, and nowhere else."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.features.ngrams import BITS, CHARACTERS, WORDS, character_buckets, sum_weights, word_buckets
from tests.unit.processors.adversarial.models import block_of

CHANCE = np.random.default_rng(0).integers(-127, 128, 1 << BITS).astype(np.int8)
TEXTS = st.lists(st.sampled_from(["ab", "a", "b", "漢字", "é", " "]), max_size=30).map("".join)


def weights_of(buckets: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    weights = np.zeros(1 << BITS, np.int8)
    weights[buckets] = 1
    return weights


def occurrences(text: str, piece: str) -> int:
    return len(re.findall(f"(?={re.escape(piece)})", text))


@pytest.mark.parametrize("order", CHARACTERS)
@given(text=TEXTS, piece=st.data())
@settings(max_examples=40)
def test_a_weight_counts_for_each_place_where_its_characters_stand(order: int, text: str, piece: st.DataObject) -> None:
    # Some, of which no other n-gram has the bucket by chance.
    wanted = piece.draw(st.sampled_from(["ab ab", "a漢字ba", "é éab", "bbbbb"]))[:order]
    block = block_of(wanted)
    bucket = int(list(character_buckets(block))[CHARACTERS.index(order)][block.starts[0]])

    sums = sum_weights(block_of("xy", text, "xy"), weights_of([bucket]))

    assert int(sums[-1]) == occurrences(text, wanted)


@given(st.lists(st.sampled_from(["aa", "bb", "cc", "dd"]), max_size=20))
@settings(max_examples=60)
def test_a_weight_counts_for_each_place_where_its_words_stand(words: list[str]) -> None:
    def bucket(kind: int, text: str) -> int:
        return int(list(word_buckets(block_of(text)))[kind][1][0])

    text = " ".join(words)
    pairs = list(pairwise(words))
    triples = list(zip(words, words[1:], words[2:], strict=False))
    wanted = {
        bucket(0, "bb"): words.count("bb"),
        bucket(1, "aa bb"): pairs.count(("aa", "bb")),
        bucket(2, "aa cc bb"): triples.count(("aa", "cc", "bb")),
        bucket(3, "aa cc bb"): sum((first, last) == ("aa", "bb") for first, _, last in triples),
    }

    for one, count in wanted.items():
        assert int(sum_weights(block_of(text), weights_of([one]))[-1]) == count


def test_words_are_the_same_whatever_stands_between_them() -> None:
    one, other = (
        [buckets.tolist() for _, buckets in word_buckets(block_of(text))]
        for text in ("ignore all 12 rules", "ignore,  all - 98\nrules!")
    )

    assert one == other
    assert len(one) == len(WORDS) + 1


@settings(max_examples=80)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_sums_over_a_text_do_not_depend_on_others(texts: list[str]) -> None:
    block = block_of(*texts)
    sums = sum_weights(block, CHANCE)

    for start, end, text in zip(block.starts.tolist(), block.ends.tolist(), texts, strict=True):
        alone = block_of(text)
        begin = int(alone.starts[0])
        own = sum_weights(alone, CHANCE)
        assert (sums[start : end + 1] - sums[start]).tolist() == (
            own[begin : begin + len(text) + 1] - own[begin]
        ).tolist()


def test_a_text_without_words_has_no_word_buckets() -> None:
    assert [len(buckets) for _, buckets in word_buckets(block_of("?", "漢字"))] in ([], [0])
