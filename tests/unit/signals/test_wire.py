"""Cutting where the first piece fills up something that has begun."""

from __future__ import annotations

import pytest

from pipeline.signals import Batch
from pipeline.testing import logs, metrics, traces


@pytest.mark.parametrize(
    "batch",
    [
        traces(*({"n": n} for n in range(10))),
        logs(*(f"line {n}" for n in range(10))),
        metrics({"a": [1.0] * 4, "b": [2.0] * 6}),
    ],
    ids=["traces", "logs", "metrics"],
)
def test_the_first_piece_has_a_limit_of_its_own(batch: Batch) -> None:
    assert [piece.count for piece in batch.split(max_items=4, first_items=1)] == [1, 4, 4, 1]


def test_the_first_piece_has_a_limit_of_its_own_in_bytes() -> None:
    batch = traces(*({"text": "x" * 1000} for _ in range(6)))

    pieces = batch.split(max_bytes=3500, first_bytes=1500)

    assert [piece.count for piece in pieces] == [1, 3, 2]


def test_a_batch_that_fits_into_the_first_limit_is_not_cut() -> None:
    batch = traces({}, {})

    assert batch.split(max_items=4, first_items=2) == [batch]
