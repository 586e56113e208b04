"""The delivery handle: what became of every part of a batch, from its receiver to the backend's reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from typing import Final

from pipeline.errors import Code, DeliveryError, Refused


class Outcome(IntEnum):
    """How a part ended. The order is by severity: the handle resolves with the worst of its parts."""

    DROPPED = 0
    """A decision: sampled out, filtered."""
    DELIVERED = 1
    """The backend said yes."""
    STORED = 2
    """On disk in a durable queue, which has taken over."""
    FAILED = 3
    """Lost, with the error that says why."""


class Delivery:
    """Counts the open parts of one batch and resolves when the last has ended.

    A new handle stands for one part. `fork` adds parts for copies and splits; every holder of a part calls `end`
    exactly once. Callbacks run in the thread that ends the last part, in the order they were added.

    Who brought the data may lose its claim to it (`disown`): somebody else brings the same data again. What is on its
    way out then goes on; who holds it undecided lets it go, as failed with `Refused`.

    Attributes:
        held: so many parts wait for a decision, perhaps for minutes: nobody is to wait for the handle meanwhile.
            Counted by who holds them; merged handles are counted for themselves.
    """

    __slots__ = ("_callbacks", "_claim_callbacks", "_is_disowned", "_open", "_sources", "error", "held", "outcome")

    def __init__(self, sources: Sequence[Delivery] = ()) -> None:
        """Start with one open part; `sources` are the handles in whose place this one stands."""
        self._open = 1
        self._callbacks: list[Callable[[Delivery], None]] = []
        self._claim_callbacks: list[Callable[[Delivery], None]] | None = None
        self._is_disowned = False
        self._sources = sources
        self.held = 0
        self.outcome = Outcome.DROPPED
        self.error: DeliveryError | None = None

    @property
    def resolved(self) -> bool:
        """Whether every part has ended."""
        return self._open == 0

    def fork(self, parts: int = 1) -> Delivery:
        """Add `parts` open parts, to be ended by their own holders; returns the handle to pass on."""
        if self._open == 0:
            raise RuntimeError("delivery: a part was added after the last one ended")
        self._open += parts
        return self

    def withdraw(self, parts: int) -> None:
        """Take back parts that `fork` added and nobody took; at least one other part is still open."""
        if parts >= self._open:
            raise RuntimeError("delivery: more parts were withdrawn than others are open")
        self._open -= parts

    def end(self, outcome: Outcome, error: DeliveryError | None = None, parts: int = 1) -> None:
        """End a part, or several; `error` says why it failed. Refused outweighs Rejected: that data is still owed."""
        if self._open < parts:
            raise RuntimeError("delivery: a part ended twice")
        self.outcome = max(self.outcome, outcome)
        if outcome is Outcome.FAILED and (
            self.error is None or (isinstance(error, Refused) and not isinstance(self.error, Refused))
        ):
            self.error = error
        self._open -= parts
        if self._open == 0:
            callbacks, self._callbacks = self._callbacks, []
            _each(partial(callback, self) for callback in callbacks)

    def abandon(self) -> None:
        """End one part of a batch whose bringer was cancelled before a stage that holds data had it."""
        self.end(Outcome.FAILED, Refused("cancelled before the data was taken", code=Code.CANCELLED))

    def on_resolved(self, callback: Callable[[Delivery], None]) -> None:
        """Call `callback(handle)` when the last part has ended; at once if it already has."""
        if self._open == 0:
            callback(self)
        else:
            self._callbacks.append(callback)

    @property
    def is_disowned(self) -> bool:
        """Whether somebody else will bring all of this data again.

        A merged handle is disowned when all its sources are: what only some have lost would be lost for the others.
        """
        return self._is_disowned or (bool(self._sources) and all(source.is_disowned for source in self._sources))

    def disown(self) -> None:
        """Say that the bringer has lost its claim; callbacks are called at once."""
        if not self._is_disowned:
            self._is_disowned = True
            callbacks, self._claim_callbacks = self._claim_callbacks or [], None
            _each(partial(callback, self) for callback in callbacks)

    def on_disowned(self, callback: Callable[[Delivery], None]) -> None:
        """Call `callback(handle)` when the bringer has lost its claim; at once if it already has."""
        if self.is_disowned:
            callback(self)
            return
        if self._claim_callbacks is None:
            self._claim_callbacks = []
            for source in self._sources:
                source.on_disowned(self._source_disowned)
        self._claim_callbacks.append(callback)

    def _source_disowned(self, _source: Delivery) -> None:
        if self.is_disowned:
            self.disown()

    async def wait(self) -> Outcome:
        """Wait for the end of the last part. Raises the error of the first failed part."""
        if self._open:
            loop = asyncio.get_running_loop()
            resolved: asyncio.Future[None] = loop.create_future()

            def wake(_: Delivery) -> None:
                loop.call_soon_threadsafe(_settle, resolved)

            self.on_resolved(wake)
            await resolved
        if self.error is not None:
            raise self.error
        return self.outcome

    @staticmethod
    def merge(handles: Iterable[Delivery]) -> Delivery:
        """One handle for merged batches: when it resolves, a part of each of `handles` ends the same way."""
        sources: Final = tuple(handles)
        if len(sources) == 1:
            return sources[0]
        merged = Delivery(sources)
        merged.on_resolved(lambda done: end_all(sources, done.outcome, done.error))
        return merged


def end_all(handles: Iterable[Delivery], outcome: Outcome, error: DeliveryError | None = None) -> None:
    """End one part of each. Whoever is told and raises keeps nobody else from being told; the first error is raised."""
    _each(partial(handle.end, outcome, error) for handle in handles)


def end_parts(parts: Mapping[Delivery, int], outcome: Outcome) -> None:
    """End so many parts of each; see `end_all`."""
    _each(partial(handle.end, outcome, None, count) for handle, count in parts.items())


def _each(calls: Iterable[Callable[[], None]]) -> None:
    first: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the others are to be called, too
            first = first or error
    if first is not None:
        raise first


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
