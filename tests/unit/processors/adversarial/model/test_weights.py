"""Tests of the file of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processors.adversarial.detector import Detector
from processors.adversarial.model.model import Model
from processors.adversarial.model.weights import PATH, Weights
from processors.adversarial.text.reading import read
from tests.unit.processors.adversarial.models import CONCEPTS, detector, small_weights


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


def test_what_is_written_is_read(path: Path) -> None:
    weights = small_weights()
    weights.save(path)

    found = Weights.load(path)

    for field in fields(Weights):
        one, other = getattr(weights, field.name), getattr(found, field.name)
        assert np.array_equal(one, other), field.name
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype, field.name
        else:
            assert type(one) is type(other), field.name


def test_a_model_says_the_same_before_and_after(path: Path) -> None:
    weights = small_weights()
    weights.save(path)
    reading = read("worda of the wordb, and wordc. " * 20)
    views = [(reading, reading.views[0])]

    one, other = Model(weights).score(views), Model(Weights.load(path)).score(views)

    assert one.log_odds.tolist() == other.log_odds.tolist()
    assert one.measures.tolist() == other.measures.tolist()


def _single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def _cut(path: Path) -> None:
    small_weights().save(path)
    path.write_bytes(path.read_bytes()[:-2000])


def _spoiled(path: Path) -> None:
    small_weights().save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def _without(name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        values: dict[str, Any] = {field.name: getattr(small_weights(), field.name) for field in fields(Weights)}
        del values[name]
        np.savez(path, **values)

    return write


def _pickled(path: Path) -> None:
    small_weights().save(path)
    with np.load(path) as file:
        values = dict(file)
    values["concepts"] = np.array([{"not": "text"}], object)
    np.savez(path, **values)


WRONG: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("version: 3\n"),
    "empty": lambda path: path.write_bytes(b""),
    "archive of nothing": lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)),
    "single array": _single_array,
    "cut": _cut,
    "spoiled": _spoiled,
    "older": _without("ease"),
    "pickled": _pickled,
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_named_and_said_to_be_wrong(kind: str, path: Path) -> None:
    WRONG[kind](path)

    with pytest.raises(ValueError, match=r"model\.npz is not a model of this version: .+train-adversarial"):
        Detector.load(path)


def test_no_file_is_an_error_of_the_system(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Weights.load(path)


def test_a_model_of_other_measures_is_refused() -> None:
    weights = small_weights()

    with pytest.raises(ValueError, match=r"knows \d+ measures of a text, not \d+: train it again"):
        Model(replace(weights, category_weights=weights.category_weights[:, :-1]))


def test_the_model_of_the_package_is_whole_and_small() -> None:
    weights = detector().model.weights

    assert weights.concepts == CONCEPTS
    assert PATH.stat().st_size <= 1_000_000
    assert weights.version
    assert weights.features.min() >= 0
    assert weights.features.max() < len(detector().model.names)
    assert weights.keys.tolist() == sorted(set(weights.keys.tolist()))
    assert len(weights.keys) == len(weights.masks) > 5000
    for name in ("sequences", "biases", "quick", "leaves", "category_weights", "calibration", "ease"):
        assert np.isfinite(getattr(weights, name)).all(), name
    assert weights.calibration[0] > 0
    assert len(weights.category_weights) == len(weights.categories)
