"""Splitting a rejected request: every item is either taken or given up, in few requests."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.delivery.shipment import Piece, Shipment, count_of, halves
from tests.unit.delivery.scripted import batch_of, ids_of


def ids(piece: Piece) -> list[int]:
    return [number for batch in piece for number in ids_of(batch)]


def play(shipment: Shipment, bad: set[int]) -> tuple[list[int], list[int], int]:
    """Ids that arrived and ids given up, and the number of requests."""
    arrived: list[int] = []
    lost: list[int] = []
    requests = 0
    while shipment.pieces:
        piece = shipment.next()
        requests += 1
        if bad.intersection(ids(piece)):
            for given_up in shipment.rejected(piece):
                lost += ids(given_up)
        else:
            shipment.arrived(piece)
            arrived += ids(piece)
    return sorted(arrived), sorted(lost), requests


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    bad=st.sets(st.integers(0, 53), max_size=20),
)
def test_exactly_the_culprits_are_given_up(sizes: list[int], bad: set[int]) -> None:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    batches = [batch_of(*range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]
    everything = set(range(sum(sizes)))

    arrived, lost, requests = play(Shipment(batches), bad)

    assert arrived == sorted(everything - bad)
    assert lost == sorted(everything & bad)
    assert requests <= 2 * len(everything)


def test_one_culprit_in_a_thousand_takes_some_twenty_requests() -> None:
    arrived, lost, requests = play(Shipment([batch_of(*range(1000))]), {999})

    assert (len(arrived), lost) == (999, [999])
    assert requests <= 21


def test_half_of_the_items_being_culprits_loses_no_neighbour() -> None:
    bad = set(range(0, 400, 2))

    arrived, lost, _ = play(Shipment([batch_of(*range(400))]), bad)

    assert (set(arrived), set(lost)) == (set(range(400)) - bad, bad)


def test_a_bad_request_merged_before_a_good_one_does_not_take_it_along() -> None:
    bad = set(range(100))

    arrived, lost, _ = play(Shipment([batch_of(*range(100)), batch_of(*range(100, 200))]), bad)

    assert (set(arrived), set(lost)) == (set(range(100, 200)), bad)


def test_where_nothing_is_taken_the_search_ends() -> None:
    everything = set(range(2000))

    arrived, lost, requests = play(Shipment([batch_of(*everything)]), everything)

    assert (arrived, set(lost)) == ([], everything)
    assert requests < 200


def test_halves_of_merged_requests_are_cut_between_them() -> None:
    merged = [batch_of(1, 2, 3), batch_of(4)]

    assert [[ids_of(batch) for batch in half] for half in halves(merged)] == [[[1, 2, 3]], [[4]]]
    assert [count_of(half) for half in halves([batch_of(1, 2, 3)])] == [2, 1]
