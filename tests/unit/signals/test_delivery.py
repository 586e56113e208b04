"""Which error a handle tells when parts fail for different reasons."""

from __future__ import annotations

import pytest

from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.signals import Delivery, Outcome, Rooms


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
