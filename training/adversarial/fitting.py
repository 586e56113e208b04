"""Fits the two stages: linear weights, and trees that read what those say of texts they were not fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from processors.adversarial.features import measures
from processors.adversarial.features.windows import Windows
from training.adversarial.extraction import ATTACK, BENIGN, Floats, Ints, Sample
from training.adversarial.rows import Row

SEED: Final = 1
TREES: Final = 200
DEPTH: Final = 4
_NGRAM_PENALTY: Final = 3e-6
_SEQUENCE_PENALTY: Final = 1e-4
_EPOCHS: Final = 6
_ROUNDS: Final = 2
_NEGATIVES: Final = 4
_RANDOM_SHARE: Final = 0.25
_BENIGN_WEIGHT: Final = 2.0
_HARD_WEIGHT: Final = 1.5

Mask: TypeAlias = npt.NDArray[np.bool_]
Odds: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Linear:
    """One linear model."""

    weights: npt.NDArray[np.float64]
    bias: float


@dataclass
class Task:
    """All that is fitted on.

    Attributes:
        rows: texts.
        sample: their windows.
        folds: the family of each row.
    """

    rows: Sequence[Row]
    sample: Sample
    folds: npt.NDArray[np.str_] = field(init=False)
    is_attack: Mask = field(init=False)
    is_natural: Mask = field(init=False)

    def __post_init__(self) -> None:
        """Arrays of what rows say."""
        self.folds = np.array([row.family for row in self.rows])
        self.is_attack = np.array([row.is_attack for row in self.rows])
        self.is_natural = np.array([row.is_natural for row in self.rows])
        sizes = Counter(row.source for row in self.rows)
        weights = np.array([sizes[row.source] ** -0.5 for row in self.rows])
        self._row_weights = weights / weights.mean()
        hard = np.array([row.category == "over_defence" for row in self.rows])
        self._hard = np.where(hard, _HARD_WEIGHT, 1.0)
        scale = sparse.diags((1 / np.sqrt(self.sample.lengths + 20.0)).astype(np.float32))
        self.ngrams = (scale @ self.sample.ngrams).tocsr()
        self._linear: dict[frozenset[str], tuple[Linear, Linear]] = {}
        self._said: dict[frozenset[str], tuple[Floats, Floats]] = {}

    def linear(self, left_out: frozenset[str]) -> tuple[Linear, Linear]:
        """Weights of n-grams and of sequences, fitted without some families."""
        if left_out not in self._linear:
            sample = self.sample
            counts = np.bincount(sample.rows, minlength=len(self.rows))
            words = sample.rest[:, -measures.AROUND - 1]
            few = counts.take(sample.rows) <= _NEGATIVES
            known = np.array([row.payload is not None for row in self.rows]).take(sample.rows)
            used = ((sample.truth == BENIGN) | few | known | _best(words, sample.rows, 3)) & (sample.truth >= BENIGN)
            used &= self.within(left_out)
            self._linear[left_out] = (
                self._fit(self.ngrams, used, _NGRAM_PENALTY),
                self._fit(sample.sequences, used, _SEQUENCE_PENALTY),
            )
        return self._linear[left_out]

    def within(self, left_out: frozenset[str]) -> Mask:
        """Windows of rows that are not left out."""
        return ~np.isin(self.folds, sorted(left_out)).take(self.sample.rows)

    def _fit(self, matrix: Any, used: Mask, penalty: float) -> Linear:
        from sklearn.linear_model import SGDClassifier  # noqa: PLC0415 - heavy

        truth = self.sample.truth[used]
        fitted = SGDClassifier(
            loss="log_loss", alpha=penalty, max_iter=_EPOCHS, tol=None, average=True, random_state=SEED
        ).fit(matrix[used], truth, sample_weight=self._weights(used, truth, 1.0))
        return Linear(fitted.coef_[0], float(fitted.intercept_[0]))

    def _weights(self, used: Mask, truth: Ints, benign: float, hard: bool = False) -> Odds:
        """Large sources and long texts count less than their size; attacks as much as all that is benign."""
        rows = self.sample.rows[used]
        counts = np.bincount(rows, minlength=len(self.rows))
        of_rows = self._row_weights * self._hard if hard else self._row_weights
        weights = of_rows.take(rows) / np.sqrt(counts.take(rows))
        is_attack = truth == ATTACK
        weights[is_attack] /= weights[is_attack].sum()
        weights[~is_attack] *= benign / weights[~is_attack].sum()
        scaled: npt.NDArray[np.float64] = weights * len(weights)
        return scaled

    def said(self, left_out: frozenset[str]) -> tuple[Floats, Floats]:
        """What the linear models fitted without some families say of every window."""
        if left_out not in self._said:
            ngrams, sequences = self.linear(left_out)
            self._said[left_out] = (
                (self.ngrams @ ngrams.weights + ngrams.bias).astype(np.float32),
                (self.sample.sequences @ sequences.weights + sequences.bias).astype(np.float32),
            )
        return self._said[left_out]

    def measures(self, left_out: frozenset[str]) -> Floats:
        """All measures of every window, the linear ones by models that saw neither the row's family nor `left_out`."""
        size = len(self.sample.rows)
        columns = np.zeros((2, size), np.float32)
        for fold in np.unique(self.folds):
            here = (self.folds == fold).take(self.sample.rows)
            for column, said in zip(columns, self.said(left_out | {str(fold)}), strict=True):
                column[here] = said[here]
        return self._with(*columns)

    def plain_measures(self, left_out: frozenset[str]) -> Floats:
        """All measures of every window, as the models fitted on all but `left_out` give them."""
        return self._with(*self.said(left_out))

    def _with(self, ngrams: Floats, sequences: Floats) -> Floats:
        sample = self.sample
        windows = Windows(sample.texts, np.zeros_like(sample.lengths), sample.lengths)
        # They are divided by the root of the length already.
        linear = measures.linear(ngrams, sequences, windows)
        return np.concatenate((linear, sample.rest), 1)

    def trees(self, rows: Floats, left_out: frozenset[str]) -> tuple[Any, npt.NDArray[np.float64]]:
        """Trees over measures, fitted without some families; and their log-odds of every window.

        Of an attack only its best windows are taken for one (multiple-instance learning), by what was known before.
        """
        sample, dice = self.sample, np.random.default_rng(SEED)
        odds = rows[:, 0] / rows[:, 0].std() + rows[:, 1] / rows[:, 1].std()
        for round_ in range(_ROUNDS):
            best = _best(np.where(sample.truth == ATTACK, odds, -np.inf), sample.rows, 1 if round_ else 2)
            hard = _best(odds, sample.rows, _NEGATIVES) | (dice.random(len(odds)) < _RANDOM_SHARE)
            used = np.where(sample.truth == ATTACK, best, (sample.truth == BENIGN) & hard) & self.within(left_out)
            truth = sample.truth[used]
            fitted = _boost(rows[used], truth, self._weights(used, truth, _BENIGN_WEIGHT, hard=True))
            odds = fitted.predict(rows, prediction_type="RawFormulaVal")
        return fitted, odds

    def most(self, odds: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """The largest of each row's windows."""
        found = np.full(len(self.rows), -np.inf)
        np.maximum.at(found, self.sample.rows, odds)
        return found

    def best(self, odds: Odds) -> Mask:
        """The best window of each row."""
        return _best(odds, self.sample.rows, 1)


def _boost(rows: Floats, truth: Ints, weights: npt.NDArray[np.float64]) -> Any:
    from catboost import CatBoostClassifier  # noqa: PLC0415 - heavy

    return CatBoostClassifier(
        iterations=TREES, depth=DEPTH, learning_rate=0.1, l2_leaf_reg=5, rsm=0.4, subsample=0.7, border_count=64,
        bootstrap_type="Bernoulli", random_seed=SEED, thread_count=2, verbose=False, allow_writing_files=False,
    ).fit(rows, truth, sample_weight=weights)  # fmt: skip


def _best(values: npt.NDArray[Any], rows: Ints, count: int) -> Mask:
    """The `count` windows of each row with the largest values."""
    order = np.lexsort((-values, rows))
    sorted_rows = rows[order]
    ranks = np.arange(len(rows)) - np.searchsorted(sorted_rows, sorted_rows)
    chosen = np.zeros(len(rows), np.bool_)
    chosen[order[ranks < count]] = True
    return chosen


__all__ = ["Linear", "Mask", "Odds", "Task"]
