"""The model as a file."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.block import Hashes
from processors.adversarial.model.trees import Trees

PATH: Final = Path(__file__).parent.parent / "data" / "model.npz"


@dataclass(frozen=True, slots=True)
class Weights:
    """All that training found out.

    Attributes:
        version: a digest of the weights.
        concepts: names of the concepts, in the order of their bits.
        categories: names of the categories.
        classes: class of each character of the basic plane.
        keys: hashes of the entries of the lexicon, sorted.
        masks: concepts of each entry as bits.
        ngrams: weights of hashed n-grams.
        ngram_scale: one unit of them.
        sequences: weights of concepts alone, in pairs and triples.
        biases: of n-grams and of sequences.
        quick: weights of the linear measures for the choice of windows; the last is the bias.
        features: of the trees.
        borders: of the trees.
        leaves: of the trees.
        bias: of the trees.
        category_weights: (categories, measures + 1): what each measure says of the category of an attack.
        calibration: slope and bias from log-odds of the trees to those of the score.
        ease: what is taken off log-odds for the length and the script of a text, see `model.traits`: the largest
            of many windows is large.
    """

    version: str
    concepts: list[str]
    categories: list[str]
    classes: npt.NDArray[np.uint8]
    keys: Hashes
    masks: Hashes
    ngrams: npt.NDArray[np.int8]
    ngram_scale: float
    sequences: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float64]
    quick: npt.NDArray[np.float32]
    features: npt.NDArray[np.int16]
    borders: npt.NDArray[np.float32]
    leaves: npt.NDArray[np.float32]
    bias: float
    category_weights: npt.NDArray[np.float32]
    calibration: npt.NDArray[np.float64]
    ease: npt.NDArray[np.float64]

    @property
    def trees(self) -> Trees:
        """The ensemble."""
        return Trees(self.features, self.borders, self.leaves, self.bias)

    def save(self, path: Path) -> None:
        """Write the file."""
        values: dict[str, Any] = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        for name in ("sequences", "category_weights"):
            values[name] = values[name].astype(np.float16)
        np.savez_compressed(path, **values)

    @classmethod
    def load(cls, path: Path = PATH) -> Weights:
        """Read the file.

        Raises:
            OSError: there is none.
            ValueError: it is not a model of this form.
        """
        values = _arrays(path, [field.name for field in fields(cls)])
        for name in ("version", "ngram_scale", "bias"):
            values[name] = values[name].item()
        for name in ("concepts", "categories"):
            values[name] = values[name].tolist()
        for name in ("sequences", "category_weights"):
            values[name] = values[name].astype(np.float32)
        return cls(**values)


def _arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    try:
        with path.open("rb") as raw, np.lib.npyio.NpzFile(raw) as file:
            return {name: file[name] for name in names}
    except (BadZipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is not a model of this version: {error}. `make train-adversarial` makes one."
        ) from error


__all__ = ["PATH", "Weights"]
