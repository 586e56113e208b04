"""The ladder of overload."""

from __future__ import annotations

import pytest

from processors.sampling.thresholds import NEVER
from processors.tail_sampling.overload import Overload, Step


@pytest.mark.parametrize(("pressure", "left"), [(0.0, 1.0), (0.9, 1.0), (0.95, 0.5), (1.0, 0.0), (1.5, 0.0)])
def test_waits_get_shorter_as_it_fills(pressure: float, left: float) -> None:
    ladder = Overload(10.0)
    ladder.look(pressure)
    assert ladder.left_of_wait == pytest.approx(left)
    assert ladder.step is (Step.SHORTENED if pressure >= 0.9 else Step.NORMAL)


def test_who_has_waited_its_shortened_wait_is_decided() -> None:
    ladder = Overload(10.0)
    ladder.look(0.95)
    assert not ladder.may_decide(4.0, 10.0)
    assert ladder.may_decide(5.5, 10.0)
    assert ladder.step is Step.SHORTENED


def test_new_traces_do_not_wait_once_waits_would_become_too_short() -> None:
    ladder = Overload(10.0)
    steps = [ladder.look(1.0)]
    for waited_s in (2.0, 0.5):
        assert ladder.may_decide(waited_s, 10.0)
        steps.append(ladder.step)
    assert steps == [Step.SHORTENED, Step.SHORTENED, Step.STATELESS]
    assert [ladder.look(p) for p in (0.91, 0.89, 0.91)] == [Step.STATELESS, Step.NORMAL, Step.SHORTENED]


def test_a_share_is_kept_by_randomness() -> None:
    ladder = Overload(25.0)
    kept, dropped = ladder.decide(NEVER // 4 * 3), ladder.decide(NEVER // 4 * 3 - 1)
    assert kept.kept
    assert kept.threshold == NEVER // 4 * 3
    assert not dropped.kept
    assert not Overload(0.0).decide(NEVER - 1).kept
