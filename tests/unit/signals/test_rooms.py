"""Reservations: taken once, or given back once."""

from __future__ import annotations

from pipeline.signals import Rooms


def test_rooms_of_several_stages_are_kept_apart_and_the_rest_is_released() -> None:
    rooms, released = Rooms(), list[str]()
    for stage in ("a", "a", "b"):
        rooms.add(stage, lambda stage=stage: released.append(stage))  # type: ignore[misc]
    assert rooms.take("a") is not None
    assert rooms.take("c") is None
    rooms.release()
    assert sorted(released) == ["a", "b"]
    rooms.release()
    assert sorted(released) == ["a", "b"]
    assert rooms.take("a") is None
