"""What the origin of a text adds to what it says, by data/priors.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.measures import Measures
from processors.adversarial.tables import read_table
from processors.adversarial.text.view import Sign
from processors.adversarial.verdict import Origin


class Proof(NamedTuple):
    """A sign that decides alone."""

    sign: Sign
    category: str
    origins: frozenset[Origin]


class Priors:
    """Log-odds that an origin adds, and signs that decide."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are those of the measures."""
        table = read_table("priors.yaml")
        raised = table["raised"]
        self._origins = _origins(raised)
        self._first = [names.index(concept) for concept in raised["first"]]
        self._second = [names.index(concept) for concept in raised["second"]]
        self._log_odds = float(raised["log_odds"])
        self._proofs = [
            Proof(Sign[name.upper()], proof["category"], _origins(proof)) for name, proof in table["proofs"].items()
        ]

    def raises(self, rows: Measures) -> npt.NDArray[np.float64]:
        """What is added to the log-odds of windows of texts that come from tools and documents."""
        both = (rows.take(self._first, 1) > 0).any(1) & (rows.take(self._second, 1) > 0).any(1)
        return np.where(both, self._log_odds, 0.0)

    def is_raised(self, origin: Origin) -> bool:
        """Whether `raises` counts for texts of an origin."""
        return origin in self._origins

    def proof(self, signs: Sequence[int], origin: Origin) -> Proof | None:
        """What proves an attack, if anything does."""
        for proof in self._proofs:
            if signs[proof.sign] and origin in proof.origins:
                return proof
        return None


def _origins(table: dict[str, Any]) -> frozenset[Origin]:
    return frozenset(map(Origin, table["origins"])) if "origins" in table else frozenset(Origin)


__all__ = ["Priors", "Proof"]
