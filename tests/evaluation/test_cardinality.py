"""The page is bounded whatever labels and services come; `python -m tests.evaluation.cardinality` is the long form."""

from __future__ import annotations

from tests.evaluation.cardinality import Sample, measure

LIMIT = 50
RESOURCES = 1000
"""Services at most that have series of their own, the one for all others included; each has an overflow of its own."""


def most_of_one_metric(sample: Sample) -> int:
    return max(count for name, count in sample.series.items() if name.startswith(("gen_ai", "penstock")))


def test_labels_without_end() -> None:
    samples = measure(2, 500, services=False, series_limit=LIMIT)
    assert [most_of_one_metric(sample) for sample in samples] == [LIMIT + 1, LIMIT + 1]


def test_services_without_end() -> None:
    samples = measure(2, 1_500, series_limit=LIMIT)
    assert max(most_of_one_metric(sample) for sample in samples) <= LIMIT + RESOURCES + 1
