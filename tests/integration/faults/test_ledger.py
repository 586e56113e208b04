"""The ledger notices what is lost and what is repeated without a fault that would explain it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.integration.faults.bench import Result
from tests.integration.faults.ledger import Account, Fault, Handed, Ledger


@dataclass
class Spans:
    sent: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)


@dataclass
class Arrivals:
    handed: list[Handed]

    @property
    def arrived(self) -> Counter[int]:
        return Counter(number for handed in self.handed if handed.taken for number in handed.ids)


def handed(ids: list[int], received_at: float, answered_at: float | None, *, taken: bool = True) -> Handed:
    return Handed(ids, received_at, answered_at, taken=taken)


def account(sent: int, *requests: Handed, faults: tuple[Fault, ...] = (), doomed: tuple[int, ...] = ()) -> Account:
    ids = set(range(sent))
    ledger = Ledger([Spans(ids, ids)], Arrivals(list(requests)), settle_s=1, faults=list(faults), doomed=doomed)
    return ledger.account()


def test_what_was_acknowledged_and_never_arrived_is_lost() -> None:
    found = account(5, handed([0, 1], 0, 1), handed([2], 0, 1, taken=False), doomed=(4,))
    assert (found.arrived, found.lost, found.doomed) == (2, 2, 1)
    assert Result(0, found).verdict() == ["2 acknowledged spans are lost"]
    assert Result(0, found, destroyed=2).verdict() == []


def test_what_was_not_acknowledged_may_be_missing_or_arrive() -> None:
    ledger = Ledger([Spans({1, 2, 3}, {1})], Arrivals([handed([1, 2], 0, 1)]))
    assert ledger.account().lost == 0
    assert Result(0, ledger.account()).verdict() == []


@pytest.mark.parametrize(
    ("first", "explained"),
    [
        pytest.param(handed([1], 3, None), True, id="never answered"),
        pytest.param(handed([1], 3, 4.5), True, id="answered right before"),
        pytest.param(handed([1], 3, 3.9), False, id="answered long before"),
        pytest.param(handed([1], 5.5, 5.6), True, id="read after the kill"),
        pytest.param(handed([1], 6.5, 6.6), False, id="handed over after the restart"),
    ],
)
def test_a_fault_explains_repetitions_of_what_was_in_flight(first: Handed, *, explained: bool) -> None:
    found = account(2, handed([0], 0, 1), first, handed([1], 7, 8), faults=(Fault(5, 6),))
    assert found.repeated == 1
    assert found.unexplained == (0 if explained else 1)
    assert found.in_flight == (1 if explained else 0)


def test_one_fault_explains_one_repetition() -> None:
    requests = [handed([0], 4, 5), handed([0], 7, 8), handed([0], 9, 10)]
    assert account(1, *requests, faults=(Fault(5, 6),)).unexplained == 1
    assert account(1, *requests, faults=(Fault(5, 6), Fault(8, 9))).unexplained == 0


def test_a_run_in_which_nothing_was_acknowledged_proves_nothing() -> None:
    assert Result(0, account(0)).verdict() == ["nothing was acknowledged"]
