"""Instances of one processor that follow each other through reloads: one of them has the traces."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar


class Instance(Protocol):
    """One of them."""

    def take_over(self, predecessor: Any) -> None:
        """Go on with what another instance has."""


T = TypeVar("T", bound=Instance)


class Line(Generic[T]):
    """Who is at work in one pipeline.

    A reload starts the successor while its predecessor still gets data. The successor takes over with the first data
    it gets, or when the predecessor stops; where the reload fails, the successor stops first and gives back.
    """

    def __init__(self) -> None:
        """Nobody yet."""
        self._running: list[T] = []
        self._holder: T | None = None

    def enter(self, instance: T) -> None:
        """It runs; it has the traces if nobody else has."""
        self._running.append(instance)
        if self._holder is None:
            self._holder = instance

    def at_work(self, asking: T) -> T:
        """Who takes the data that `asking` got: itself, if it is the newest, else its successor."""
        holder = self._holder
        if holder is asking or holder is None:
            return asking
        if asking in self._running and self._running.index(asking) > self._running.index(holder):
            asking.take_over(holder)
            self._holder = asking
            return asking
        return holder

    def is_holder(self, instance: T) -> bool:
        """Whether it has the traces."""
        return self._holder is instance

    def leave(self, instance: T) -> bool:
        """It stops. Whether it still has the traces, since there is nobody to take them over."""
        if instance in self._running:
            self._running.remove(instance)
        if self._holder is not instance:
            return False
        self._holder = self._running[-1] if self._running else None
        if self._holder is None:
            return True
        self._holder.take_over(instance)
        return False


class Lines(Generic[T]):
    """By pipeline: who is at work; kept by `Host.shared`."""

    def __init__(self) -> None:
        """None yet."""
        self._lines: dict[str, Line[T]] = {}

    def of(self, pipeline: str) -> Line[T]:
        """The line of a pipeline."""
        return self._lines.setdefault(pipeline, Line())
