"""A block of texts, looked at: its windows and the concepts in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from processors.adversarial.features import measures, ngrams, sequences
from processors.adversarial.features.block import Block, Places, Tables
from processors.adversarial.features.concepts import Hits, Lexicon
from processors.adversarial.features.measures import Measures
from processors.adversarial.features.windows import Windows, windows_of
from processors.adversarial.model.weights import Weights


class Examination:
    """What was found in a block.

    Attributes:
        block: texts.
        hits: words that the lexicon knows.
        items: concepts.
        windows: of all texts.
        first: of the items in each window, the first.
        last: behind the last of them.
    """

    def __init__(self, texts: Sequence[str], tables: Tables, lexicon: Lexicon) -> None:
        """Look at texts; see `Block` for how many."""
        self.block = Block(texts, tables)
        self.hits: Hits = lexicon.find(self.block)
        self.items = sequences.items_of(self.block, self.hits)
        self.windows: Windows = windows_of(self.block)
        self.first: Places = self.items.places.searchsorted(self.windows.starts)
        self.last: Places = self.items.places.searchsorted(self.windows.ends)

    def linear(self, weights: Weights) -> Measures:
        """What the linear parts of the model say of each window."""
        windows, (ngram_bias, sequence_bias) = self.windows, weights.biases.tolist()
        sums = ngrams.sum_weights(self.block, weights.ngrams)
        total = (sums.take(windows.ends) - sums.take(windows.starts)) * weights.ngram_scale
        total /= np.sqrt(windows.ends - windows.starts + 20.0)
        rises = sequences.sum_weights(self.items, weights.sequences)
        rise = rises.take(self.last) - rises.take(self.first)
        return measures.linear(total + ngram_bias, rise + sequence_bias, windows)

    def rest(self, chosen: Places) -> Measures:
        """The other measures of a window: concepts, and shape."""
        windows = self.windows.take(chosen)
        counts = measures.concept_counts(self.items, self.first.take(chosen), self.last.take(chosen))
        return np.concatenate((counts, measures.shape(self.block, windows, counts)), 1)


__all__ = ["Examination"]
