"""Which error a handle tells when parts fail for different reasons, and who owns what it stands for."""

from __future__ import annotations

import pytest

from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.signals import Delivery, Outcome, Rooms
from pipeline.signals.delivery import end_parts


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([Rejected("a"), Refused("b")], "b"),
        ([Refused("a"), Rejected("b")], "a"),
        ([Rejected("a"), Rejected("b")], "a"),
        ([Refused("a"), Refused("b")], "a"),
    ],
)
def test_data_that_is_still_owed_outweighs_data_that_nobody_wants(errors: list[DeliveryError], told: str) -> None:
    handle = Delivery().fork(1)

    for error in errors:
        handle.end(Outcome.FAILED, error)

    assert str(handle.error) == told


def test_a_taken_room_can_still_be_released_by_its_stage() -> None:
    rooms = Rooms()
    released: list[str] = []
    rooms.add("stage", lambda: released.append("stage"))

    release = rooms.take("stage")
    assert release is not None
    assert rooms.take("stage") is None
    rooms.release()
    assert released == []

    release()
    assert released == ["stage"]


def test_withdrawn_parts_leave_no_trace_and_never_resolve_the_handle() -> None:
    handle = Delivery().fork(2)
    handle.withdraw(2)
    with pytest.raises(RuntimeError, match="withdrawn"):
        handle.withdraw(1)
    handle.end(Outcome.DELIVERED)
    assert (handle.outcome, handle.error) == (Outcome.DELIVERED, None)


def test_who_holds_parts_is_told_once_that_their_bringer_has_lost_its_claim() -> None:
    handle, told = Delivery(), list[Delivery]()
    handle.on_disowned(told.append)
    assert not handle.fork().is_disowned

    handle.disown()
    handle.disown()
    assert handle.is_disowned
    assert told == [handle]

    handle.on_disowned(told.append)
    assert told == [handle, handle]


def test_a_lost_claim_ends_nothing() -> None:
    handle = Delivery()
    handle.disown()
    assert not handle.resolved

    handle.end(Outcome.DELIVERED)
    assert (handle.outcome, handle.error) == (Outcome.DELIVERED, None)


def test_merged_data_is_disowned_when_nobody_who_brought_some_of_it_has_a_claim() -> None:
    sources, told = [Delivery(), Delivery(), Delivery()], list[Delivery]()
    merged = Delivery.merge(sources)
    around = Delivery((merged,))
    around.on_disowned(told.append)

    states = []
    for source in sources:
        source.disown()
        states.append((merged.is_disowned, around.is_disowned, len(told)))
    assert states == [(False, False, 0), (False, False, 0), (True, True, 1)]


def test_who_is_told_may_end_the_handle_at_once() -> None:
    handle, order = Delivery(), list[str]()
    handle.on_resolved(lambda _: order.append("resolved"))
    handle.on_disowned(lambda held: held.end(Outcome.FAILED, Refused("not ours any more")))
    handle.on_disowned(lambda _: order.append("told"))

    handle.disown()
    assert order == ["resolved", "told"]
    assert isinstance(handle.error, Refused)


def test_several_parts_end_at_once() -> None:
    handles = [Delivery().fork(2), Delivery().fork(4)]
    resolved: list[Delivery] = []
    for handle in handles:
        handle.on_resolved(resolved.append)
    end_parts({handles[0]: 3, handles[1]: 4}, Outcome.DROPPED)
    assert resolved == handles[:1]
    with pytest.raises(RuntimeError, match="twice"):
        handles[1].end(Outcome.DROPPED, parts=2)
    handles[1].end(Outcome.DELIVERED)
    assert resolved == handles


def test_whoever_is_told_and_raises_keeps_nobody_from_being_told() -> None:
    def fail(_: Delivery) -> None:
        raise ValueError("told")

    handles = [Delivery(), Delivery()]
    handles[0].on_resolved(fail)
    with pytest.raises(ValueError, match="told"):
        end_parts(dict.fromkeys(handles, 1), Outcome.DROPPED)
    assert all(handle.resolved for handle in handles)
