"""Blocks, lexicons and models for tests: the real ones, and small ones of which all is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from processors.adversarial.detector import Detector
from processors.adversarial.features import ngrams, sequences
from processors.adversarial.features.alphabet import class_table
from processors.adversarial.features.block import Block, Tables
from processors.adversarial.features.concepts import Lexicon
from processors.adversarial.features.lexicon import Entry, compile_entries, read_concepts, read_entries
from processors.adversarial.features.measures import names
from processors.adversarial.model.weights import Weights
from processors.adversarial.text.plain import fold

CONCEPTS = read_concepts()


@cache
def tables() -> Tables:
    """With the classes of this Python's Unicode tables."""
    return Tables(class_table())


def block_of(*texts: str) -> Block:
    """A block of texts."""
    return Block(texts, tables())


def lexicon_of(entries: dict[str, Sequence[str]]) -> Lexicon:
    """A lexicon of a few entries by concept."""
    listed = [Entry("xx", concept, fold(text)) for concept, texts in entries.items() for text in texts]
    return Lexicon(*compile_entries(listed, CONCEPTS, tables()))


@cache
def whole_lexicon() -> Lexicon:
    """The lexicon of the package, as its files are now."""
    return Lexicon(*compile_entries(read_entries(), CONCEPTS, tables()))


@cache
def detector() -> Detector:
    """With the model of the package."""
    return Detector.load()


def changed(**values: Any) -> Detector:
    """The detector with some of the weights of its model changed."""
    return Detector(type(detector().model)(replace(detector().model.weights, **values)))


def small_weights(seed: int = 0) -> Weights:
    """Weights by chance, for six concepts."""
    dice = np.random.default_rng(seed)
    concepts = CONCEPTS[:6]
    entries = [Entry("xx", concept, f"word{chr(97 + at)}") for at, concept in enumerate(concepts)]
    keys, masks = compile_entries(entries, concepts, tables())
    count = len(names(concepts))

    def some(*shape: int) -> Any:
        return dice.normal(size=shape).astype(np.float16).astype(np.float32)

    return Weights(
        version="by-chance",
        concepts=concepts,
        categories=["direct_injection", "jailbreak"],
        classes=class_table(),
        keys=keys,
        masks=masks,
        ngrams=dice.integers(-127, 128, 1 << ngrams.BITS).astype(np.int8),
        ngram_scale=0.01,
        sequences=some(sequences.SIZE),
        biases=np.array([-0.5, 0.25]),
        quick=some(4),
        features=dice.integers(0, count, (20, 3)).astype(np.int16),
        borders=some(20, 3),
        leaves=some(20, 8),
        bias=0.125,
        category_weights=some(2, count + 1),
        calibration=np.array([1.5, -0.25]),
        ease=dice.normal(size=2),
    )
