"""Fan-out: one batch into several branches, all or none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.component import Stage
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Outcome, Rooms
from pipeline.supervisor import Supervisor
from pipeline.telemetry.log import Log


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a fan-out leads, and whether the batch will be written to there."""

    name: str
    stage: Stage
    mutates: bool


def writes_original(branches: Sequence[Branch]) -> bool:
    """Whether the batch that enters a fan-out may be written to: a branch that reads gets it where there is one."""
    return all(branch.mutates for branch in branches)


def fan_out(branches: Sequence[Branch], tasks: Supervisor, log: Log) -> Stage:
    """The stage for these branches: the branch itself when there is only one."""
    return branches[0].stage if len(branches) == 1 else FanOut(branches, tasks, log)


class FanOut:
    """Reserves room in every branch, then hands the batch to all of them side by side.

    A refusal before that leaves every branch untouched. What goes wrong in one branch afterwards ends its part of the
    delivery as failed; when all branches fail, the sender gets the error (a retryable one, if any is).
    """

    def __init__(self, branches: Sequence[Branch], tasks: Supervisor, log: Log) -> None:
        """`tasks` owns the branches' work: a caller that goes away does not stop it half-way."""
        self._branches = tuple(branches)
        self._tasks = tasks
        self._log = log

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room in every branch."""
        for branch in self._branches:
            await branch.stage.reserve(batch, rooms)

    async def consume(self, batch: Batch) -> None:
        """Into all branches or none."""
        if batch.rooms is not None:
            await self._enter(batch, batch.rooms)
            return
        rooms = Rooms()
        try:
            await self.reserve(batch, rooms)
        except BaseException:
            rooms.release()
            raise
        await self._enter(batch, rooms)

    async def _enter(self, batch: Batch, rooms: Rooms) -> None:
        release = batch.rooms is None
        await asyncio.shield(self._tasks.start(self._hand_out(batch, rooms, release=release), "fan-out"))

    async def _hand_out(self, batch: Batch, rooms: Rooms, *, release: bool) -> None:
        try:
            parts = self._parts(batch, rooms)
            results = await asyncio.gather(
                *(branch.stage.consume(part) for branch, part in zip(self._branches, parts, strict=True)),
                return_exceptions=True,
            )
        finally:
            if release:
                rooms.release()
        self._settle(parts, [_as_delivery_error(result) for result in results])

    def _parts(self, batch: Batch, rooms: Rooms) -> list[Batch]:
        """A batch for each branch; the given one itself goes to a reader, or to the last branch if all write."""
        readers = [branch for branch in self._branches if not branch.mutates]
        takes_original = readers[0] if readers else self._branches[-1]
        parts = []
        for branch in self._branches:
            parts.append(batch if branch is takes_original else batch.copy() if branch.mutates else batch.share())
            parts[-1].rooms = rooms
        return parts

    def _settle(self, parts: Sequence[Batch], errors: Sequence[DeliveryError | None]) -> None:
        failed = [error for error in errors if error is not None]
        if len(failed) == len(parts):
            # The caller still owns the batch, and may try again: nothing has failed for good.
            parts[0].delivery.withdraw(len(parts) - 1)
            raise next((error for error in failed if isinstance(error, Refused)), failed[0])
        for branch, part, error in zip(self._branches, parts, errors, strict=True):
            if error is not None:
                part.delivery.end(Outcome.FAILED, error)
                self._log.warning(
                    "One branch of a fan-out failed; the others have the data.",
                    branch=branch.name, items=part.count, error=str(error),
                )  # fmt: skip


def _as_delivery_error(result: object) -> DeliveryError | None:
    if result is None or isinstance(result, DeliveryError):
        return result
    if isinstance(result, Exception):
        return Rejected(f"internal error: {type(result).__name__}", code=Code.INTERNAL)
    return Refused("shutting down")
