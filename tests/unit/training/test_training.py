"""Training a model on a few texts: the same texts, the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from processors.adversarial.detector import Detector
from processors.adversarial.model.model import Model
from processors.adversarial.model.weights import Weights
from processors.adversarial.verdict import Origin, Part
from training.adversarial.rows import FAMILIES, WRITTEN, Row, read_rows, read_written

for needed in ("scipy", "sklearn", "catboost"):
    pytest.importorskip(needed, reason="`make train-adversarial` installs what training needs")

from training.adversarial import evaluating, fitting, training  # noqa: E402 - needs what may not be there

EXCERPT = Path(__file__).parents[2] / "data" / "adversarial" / "dev.jsonl"
LONGEST = 1500
A_FAMILY = 60


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "TREES", 20)
        yield


def few_rows() -> list[Row]:
    """Some of each family, as many attacks as there are."""
    short = [row for row in (*read_rows(EXCERPT), *read_written()) if len(row.text) <= LONGEST]
    return [
        row
        for family in (*FAMILIES, WRITTEN)
        for side in (True, False)
        for row in islice((one for one in short if one.family == family and one.is_attack == side), A_FAMILY // 2)
    ]


@pytest.fixture(scope="module")
def trained() -> tuple[fitting.Task, Weights]:
    task, knowledge = training.make_task(EXCERPT.parent, few_rows())
    return task, training.train(task, knowledge)


def test_every_family_is_there(trained: tuple[fitting.Task, Weights]) -> None:
    task, _ = trained
    for family in (*FAMILIES, WRITTEN):
        assert {row.is_attack for row in task.rows if row.family == family} == {True, False}, family


def test_the_same_texts_make_the_same_bytes(trained: tuple[fitting.Task, Weights], tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    trained[1].save(first)
    task, knowledge = training.make_task(EXCERPT.parent, few_rows())
    training.train(task, knowledge).save(second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["keys", "ngrams", "leaves", "calibration"])
def test_other_weights_make_another_version(trained: tuple[fitting.Task, Weights], name: str) -> None:
    _, weights = trained
    assert training.digest(weights) == weights.version
    assert training.digest(replace(weights, **{name: getattr(weights, name)[::-1]})) != weights.version


def test_what_is_trained_scores_attacks_higher(trained: tuple[fitting.Task, Weights], tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    trained[1].save(path)
    detector = Detector(Model(Weights.load(path)))
    rows = few_rows()
    verdicts = detector.judge([Part(row.text, Origin.USER) for row in rows])
    attacks = [verdict.score for row, verdict in zip(rows, verdicts, strict=True) if row.is_attack]
    harmless = [verdict.score for row, verdict in zip(rows, verdicts, strict=True) if row.is_natural]
    assert sum(attacks) / len(attacks) > 2 * sum(harmless) / len(harmless)


def test_a_family_is_judged_by_a_model_without_it(trained: tuple[fitting.Task, Weights]) -> None:
    task, _ = trained
    ((family, judgements),) = evaluating.left_out(task, FAMILIES[:1])
    assert family == FAMILIES[0]
    assert {row.family for row in judgements.rows} == {family}
    assert len(judgements) == sum(row.family == family for row in task.rows)
    assert judgements.separation() > 0.5
