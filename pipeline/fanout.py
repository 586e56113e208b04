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
            await self._enter(_HandOut(self._branches, batch, batch.rooms, self._log))
            return
        rooms = Rooms()
        try:
            await self.reserve(batch, rooms)
        except asyncio.CancelledError:
            rooms.release()
            batch.delivery.abandon()
            raise
        except BaseException:
            rooms.release()
            raise
        await self._enter(_HandOut(self._branches, batch, rooms, self._log))

    async def _enter(self, hand_out: _HandOut) -> None:
        work = self._tasks.start(hand_out.run(), "fan-out")
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(hand_out.end_for_nobody)
            raise


class _HandOut:
    """One batch on its way into the branches."""

    def __init__(self, branches: Sequence[Branch], batch: Batch, rooms: Rooms, log: Log) -> None:
        self._branches = branches
        self._batch = batch
        self._rooms = rooms
        self._holds_rooms = batch.rooms is None
        self._log = log
        self._delivery = batch.delivery
        self._begun = False

    async def run(self) -> None:
        """Hand out. Raises DeliveryError when no branch took its part; the batch then is the caller's, as one part."""
        self._begun = True
        parts: list[_Part] = []
        try:
            parts += self._parts()
            await asyncio.gather(*(part.begin() for part in parts), return_exceptions=True)
        except asyncio.CancelledError:
            self._end_untaken(parts)
            raise
        finally:
            self._release()
        if all(part.error for part in parts):
            # The caller still owns the batch, and may try again: nothing has failed for good.
            self._delivery.withdraw(len(parts) - 1)
            raise _worst(parts)
        self._end_untaken(parts)

    def _release(self) -> None:
        if self._holds_rooms:
            self._rooms.release()

    def _parts(self) -> list[_Part]:
        """A batch for each branch; the given one itself goes to a reader, or to the last branch if all write."""
        readers = [branch for branch in self._branches if not branch.mutates]
        takes_original = readers[0] if readers else self._branches[-1]
        batch, parts = self._batch, []
        if any(branch.mutates and branch is not takes_original for branch in self._branches):
            # What cannot be written must fail before there are parts.
            batch.serialize()
        for branch in self._branches:
            part = batch if branch is takes_original else batch.copy() if branch.mutates else batch.share()
            part.rooms = self._rooms
            parts.append(_Part(branch, part))
        return parts

    def _end_untaken(self, parts: Sequence[_Part]) -> None:
        """End, as failed, the parts that no branch took. What a cancelled branch was given, it ends itself."""
        for part in parts:
            error = part.error
            if error is not None:
                self._delivery.end(Outcome.FAILED, error)
                self._log.warning(
                    "One branch of a fan-out failed; the others have the data.",
                    branch=part.branch.name, items=part.items, error=str(error),
                )  # fmt: skip

    def end_for_nobody(self, work: asyncio.Task[None]) -> None:
        """End what would be the caller's if the caller had waited."""
        if not work.cancelled():
            error = work.exception()
            if error is not None:
                self._delivery.end(Outcome.FAILED, _as_delivery_error(error))
        elif not self._begun:
            self._release()
            self._delivery.abandon()


class _Part:
    """What one branch is given, and what came of it."""

    def __init__(self, branch: Branch, batch: Batch) -> None:
        self.branch = branch
        self.items = batch.count
        self._batch = batch
        self._is_brought = False
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> asyncio.Task[None]:
        self._task = asyncio.get_running_loop().create_task(self._bring())
        return self._task

    async def _bring(self) -> None:
        self._is_brought = True
        await self.branch.stage.consume(self._batch)

    @property
    def error(self) -> DeliveryError | None:
        """Why the branch did not take its part; None where it has it, or ends it by itself."""
        task = self._task
        if task is None or not self._is_brought:
            return Refused("shutting down", code=Code.UNAVAILABLE)
        error = None if task.cancelled() else task.exception()
        return None if error is None else _as_delivery_error(error)


def _worst(parts: Sequence[_Part]) -> DeliveryError:
    errors = [part.error for part in parts if part.error is not None]
    return next((error for error in errors if isinstance(error, Refused)), errors[0])


def _as_delivery_error(error: BaseException) -> DeliveryError:
    if isinstance(error, DeliveryError):
        return error
    return Rejected(f"internal error: {type(error).__name__}", code=Code.INTERNAL)
