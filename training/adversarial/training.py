"""From rows to a model, and to what it would say of sources it has not seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.alphabet import class_table
from processors.adversarial.features.block import Tables
from processors.adversarial.features.concepts import Lexicon
from processors.adversarial.features.lexicon import compile_entries, read_concepts, read_entries
from processors.adversarial.model.weights import Weights
from training.adversarial.burying import bury
from training.adversarial.calibrating import Calibration, calibrate, category_weights
from training.adversarial.extraction import extract
from training.adversarial.fitting import Odds, Task
from training.adversarial.rows import FAMILIES, WRITTEN, Row, read_rows, read_written

CATEGORIES: Final[tuple[str, ...]] = (
    "direct_injection", "jailbreak", "extraction", "indirect", "special_token", "obfuscated", "exfiltration",
    "resource_abuse", "many_shot",
)  # fmt: skip
# Attacks of each family are buried in benign texts of it; those written for the project in benign texts of all.
_BURIED: Final = {"english": 600, "japanese": 300, "collected": 150, "translated": 150, WRITTEN: 1800}
_LARGEST: Final = 127


def all_rows(data: Path) -> list[Row]:
    """Rows of `train.jsonl.gz` in a folder, those written for the project, and attacks buried in harmless texts."""
    rows = [*read_rows(data / "train.jsonl.gz"), *read_written()]
    natural = [row for row in rows if row.is_natural]
    buried: list[Row] = []
    for seed, (family, count) in enumerate(_BURIED.items()):
        hosts = natural if family == WRITTEN else [row for row in natural if row.family == family]
        payloads = [row for row in rows if row.family == family and not row.is_natural]
        buried += bury([*payloads, *hosts], count, seed)
    return rows + buried


@dataclass(frozen=True, slots=True)
class Fitted:
    """Trees, fitted without some families, and how they are calibrated on what they were fitted on.

    Attributes:
        odds: of every row, the left out ones included.
    """

    trees: Any
    measures: npt.NDArray[np.float32]
    odds: Odds
    calibration: Calibration


def fit(task: Task, left_out: frozenset[str] = frozenset()) -> Fitted:
    """Fit trees; calibrate them on collected texts, by trees that have not seen, each, one family more.

    Texts written for the project do not set thresholds: they are harder than what comes by.
    """
    families = [family for family in FAMILIES if family not in left_out]
    rows = task.measures(left_out)
    unseen = np.full(len(task.rows), -np.inf)
    for family in families:
        here = task.folds == family
        if (here & task.is_natural).any():
            _, odds = task.trees(rows, left_out | {family})
            unseen[here] = task.most(odds)[here]
    calibration = calibrate(task, unseen, np.isin(task.folds, families))
    trees, odds = task.trees(rows, left_out)
    return Fitted(trees, rows, task.most(odds), calibration)


def make_task(data: Path, rows: Sequence[Row] | None = None) -> tuple[Task, dict[str, Any]]:
    """Rows looked at with the lexicon as it is now; and what of that goes into the model."""
    concepts = read_concepts()
    classes = class_table()
    tables = Tables(classes)
    keys, masks = compile_entries(read_entries(), concepts, tables)
    found = all_rows(data) if rows is None else rows
    sample = extract(found, tables, Lexicon(keys, masks))
    return Task(found, sample), {"concepts": concepts, "classes": classes, "keys": keys, "masks": masks}


def train(task: Task, knowledge: dict[str, Any]) -> Weights:
    """The model of all rows."""
    fitted = fit(task)
    ngrams, sequences = task.linear(frozenset())
    scale = float(np.abs(ngrams.weights).max()) / _LARGEST
    table = np.round(ngrams.weights / scale).astype(np.int8)
    features, borders, leaves, bias = _flat(fitted.trees)
    window_odds = fitted.trees.predict(fitted.measures, prediction_type="RawFormulaVal")
    calibration = fitted.calibration
    known = {row.category for row in task.rows if row.is_attack}
    categories = [category for category in CATEGORIES if category in known]
    weights = Weights(
        version="",
        categories=categories,
        ngrams=table,
        ngram_scale=scale,
        sequences=sequences.weights.astype(np.float32),
        biases=np.array([ngrams.bias, sequences.bias]),
        quick=_quick(task, fitted.measures, window_odds),
        features=features,
        borders=borders,
        leaves=leaves,
        bias=bias,
        category_weights=category_weights(task, fitted.measures, window_odds, categories),
        calibration=np.array([calibration.slope, calibration.bias]),
        ease=calibration.ease,
        **knowledge,
    )
    return replace(weights, version=digest(weights))


def _quick(task: Task, rows: npt.NDArray[np.float32], odds: Odds) -> npt.NDArray[np.float32]:
    """What the linear measures alone say of what the trees would: above zero where it may be anything but harmless."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy

    linear = rows[:, :3]
    fitted = LogisticRegression(class_weight="balanced").fit(linear, odds > 0)
    best = task.best(odds) & task.is_attack.take(task.sample.rows) & (odds > 0)
    said = linear[best] @ fitted.coef_[0]
    return np.append(fitted.coef_[0], -np.quantile(said, 0.01)).astype(np.float32)


def _flat(trees: Any) -> tuple[Any, Any, Any, float]:
    """Arrays of the trees as `Trees` wants them."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - used here only

    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        trees.save_model(str(path), format="json")
        model = json.loads(path.read_text())
    found = [tree for tree in model["oblivious_trees"] if tree.get("splits")]
    depth = max(len(tree["splits"]) for tree in found)
    features = np.zeros((len(found), depth), np.int16)
    borders = np.full((len(found), depth), np.inf, np.float32)
    leaves = np.zeros((len(found), 1 << depth), np.float32)
    for number, tree in enumerate(found):
        for level, split in enumerate(tree["splits"]):
            features[number, level] = split["float_feature_index"]
            borders[number, level] = split["border"]
        leaves[number, : len(tree["leaf_values"])] = tree["leaf_values"]
    scale, (bias,) = model["scale_and_bias"]
    return features, borders, leaves * scale, float(bias)


def digest(weights: Weights) -> str:
    """A name for what was found out."""
    found = hashlib.sha256()
    for name in ("keys", "masks", "ngrams", "features", "borders", "leaves", "quick", "calibration", "ease"):
        found.update(getattr(weights, name).tobytes())
    return found.hexdigest()[:12]


__all__ = ["CATEGORIES", "Fitted", "all_rows", "digest", "fit", "make_task", "train"]
