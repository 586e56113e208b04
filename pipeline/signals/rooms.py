"""Rooms: what a fan-out reserves ahead, so that a batch enters all branches or none."""

from __future__ import annotations

from collections.abc import Callable


class Rooms:
    """Reservations of one batch, by stage. Each lasts until the stage takes it or the holder releases the rest."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        """Start with none."""
        self._held: dict[object, list[Callable[[], None]]] = {}

    def add(self, stage: object, release: Callable[[], None]) -> None:
        """Record room that `stage` keeps free; `release` gives it back unused."""
        self._held.setdefault(stage, []).append(release)

    def take(self, stage: object) -> Callable[[], None] | None:
        """Use a room of `stage`; None when none is reserved, so that the stage must find room itself.

        What is returned releases the room that was reserved, for a stage that enters with another size.
        """
        held = self._held.get(stage)
        return held.pop() if held else None

    def release(self) -> None:
        """Give back every room that was not taken."""
        held, self._held = self._held, {}
        for releases in held.values():
            for release in releases:
                release()
