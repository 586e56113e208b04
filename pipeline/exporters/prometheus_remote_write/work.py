"""What is left to send of one batch, over all attempts: what has arrived is not sent again."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from pipeline.delivery.shipment import Pieces
from pipeline.errors import DeliveryError, Refused
from pipeline.exporters.prometheus_remote_write.answers import RejectedSamples
from pipeline.exporters.prometheus_remote_write.collected import Series

# Of a series, one more sample in so many that were rejected one after the other is given up without being asked about.
_TRIES: Final = 32
_MAX_SUSPECTS: Final = 20_000
# A series that was rejected so many times in a row has it from its sender.
_STRIKES: Final = 3

Post = Callable[[bytes], Awaitable[DeliveryError | None]]


class Request(Pieces[Series]):
    """One request, and the pieces it falls into when the backend rejects it.

    Pieces hold whole series. A series that is rejected alone is halved in its turn; each part waits until those before
    it have arrived or are given up. The longer nothing of it is taken, the larger are the parts that are given up
    whole: a backend is not asked about each of ten thousand samples that all are too old.
    """

    __slots__ = ("_lost_in_a_row", "_parted")

    def __init__(self, series: list[Series]) -> None:
        """Start with one piece."""
        super().__init__(series)
        self._parted: deque[Series] = deque()
        self._lost_in_a_row = 0

    def count(self, piece: list[Series]) -> int:
        """Series in a piece."""
        return len(piece)

    def halves(self, piece: list[Series]) -> list[list[Series]]:
        """Two pieces of one, between its series."""
        middle = len(piece) // 2
        return [piece[:middle], piece[middle:]]

    @property
    def is_done(self) -> bool:
        """Whether everything has arrived or is given up."""
        return not self.pieces and not self._parted

    async def send(self, post: Post, work: Work) -> Refused | None:
        """Send until everything has arrived or is given up; what a refusal leaves is sent by the next call."""
        while not self.is_done:
            part = self._parted[0] if self._parted else None
            piece = self.next() if part is None else [part]
            error = await post(b"".join([series.encoded for series in piece]))
            if isinstance(error, Refused):
                return error
            if part is not None:
                self._parted.popleft()
            elif error is None:
                self.arrived(piece)
            if error is None:
                work.took(piece)
                self._lost_in_a_row = 0
            else:
                self._reject(piece, error, work, is_part=part is not None)
        return None

    def _reject(self, piece: list[Series], error: DeliveryError, work: Work, *, is_part: bool) -> None:
        divisible = isinstance(error, RejectedSamples) and error.divisible
        if not is_part:
            self._lost_in_a_row = 0
        if not divisible:
            if not is_part:
                self.given_up(piece)
            lost = [piece, list(self._parted), *self.pieces]
            self._parted.clear()
            self.pieces.clear()
        elif len(piece) == 1 and len(piece[0].samples) > max(1, self._lost_in_a_row // _TRIES):
            if not is_part:
                self.given_up(piece)
            self._parted.extendleft(reversed(piece[0].parted()))
            return
        else:
            lost = [piece] if is_part else self.rejected(piece)
            self._lost_in_a_row += _samples(piece)
        work.give_up([series for each in lost for series in each], error)


def _samples(piece: Iterable[Series]) -> int:
    return sum(len(series.samples) for series in piece)


class Suspects:
    """Series that were rejected batch after batch, by their labels: as where two senders have the same ones."""

    def __init__(self) -> None:
        """Nobody is suspected."""
        self._strikes: dict[bytes, int] = {}

    def __bool__(self) -> bool:
        """Whether anything was rejected of late."""
        return bool(self._strikes)

    def __contains__(self, labels: object) -> bool:
        """Whether a series is suspected."""
        return isinstance(labels, bytes) and self._strikes.get(labels, 0) >= _STRIKES

    def rejected(self, piece: Iterable[Series]) -> None:
        """The backend did not take these."""
        if len(self._strikes) > _MAX_SUSPECTS:
            self._strikes.clear()
        for series in piece:
            self._strikes[series.labels] = self._strikes.get(series.labels, 0) + 1

    def took(self, piece: Iterable[Series]) -> None:
        """The backend took these."""
        if self._strikes:
            for series in piece:
                self._strikes.pop(series.labels, None)


class Work:
    """The requests of one batch.

    Attributes:
        arrived: samples that the backend has.
        rejected: samples that it will never take, by reason.
    """

    def __init__(self, requests: Iterable[list[Series]], suspects: Suspects) -> None:
        """Nothing is sent yet; `suspects` is told what is taken and what not."""
        self._suspects = suspects
        self._requests = [Request(series) for series in requests]
        self.arrived = 0
        self.rejected: Counter[str] = Counter()
        self.error: DeliveryError | None = None

    def took(self, piece: Iterable[Series]) -> None:
        """The backend has these."""
        self.arrived += _samples(piece)
        self._suspects.took(piece)

    def give_up(self, piece: Iterable[Series], error: DeliveryError) -> None:
        """The backend will never take these."""
        if isinstance(error, RejectedSamples) and error.divisible:
            self._suspects.rejected(piece)
        reason = error.reason if isinstance(error, RejectedSamples) else "internal"
        self.rejected[reason] += _samples(piece)
        self.error = error

    async def send(self, post: Post, parallel: int) -> Refused | None:
        """Send what is left, at most `parallel` requests at a time; a series is in one of them."""
        waiting = deque(self._requests)

        async def some() -> Refused | None:
            while waiting:
                refused = await waiting.popleft().send(post, self)
                if refused is not None:
                    return refused
            return None

        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(some()) for _ in range(min(parallel, len(waiting)))]
        self._requests = [request for request in self._requests if not request.is_done]
        found = [refused for sender in senders if (refused := sender.result()) is not None]
        return max(found, key=lambda refused: refused.retry_after_s or 0, default=None)
