"""Reads what a client has fetched, so that a partition that cannot be read does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import KafkaError

_POLL_MS: Final = 500
_POLL_S: Final = 0.05
_MAX_RECORDS: Final = 500
# A partition that cannot be read is tried again behind this time.
_APART_S: Final = 30.0

Found = Mapping[Any, Sequence[Any]]


class Reader:
    """Reads from one client; where each partition stands it knows itself.

    An error of the client may be that of one partition (no permission for its topic, a batch that is damaged on the
    broker's disk, a codec that is missing), and takes along what was at hand of others. So all go back to where they
    were, and for a while each is read by itself.
    """

    def __init__(self, client: Any, on_error: Callable[[BaseException], None]) -> None:
        """`on_error` is told of what cannot be read."""
        self._client = client
        self._on_error = on_error
        self._at: dict[Any, int] = {}
        self._apart_until_s = 0.0
        self.barred: set[Any] = set()
        """Partitions that are not read for now."""

    def start(self, positions: Mapping[Any, int]) -> None:
        """Read these partitions from here on, and no others."""
        self._at = dict(positions)
        self._apart_until_s = 0.0
        self.barred.clear()

    async def read(self, paused: Iterable[Any]) -> Found:
        """Records that are at hand, or come within moments. `paused`: partitions that others hold back.

        Raises:
            Exception: nothing can be read; the client is of no use any more.
        """
        found = await (self._each(paused) if self._apart_until_s else self._all())
        for partition, records in found.items():
            if partition in self._at:
                self._at[partition] = records[-1].offset + 1
        return found

    async def _all(self) -> Found:
        try:
            found: Found = await self._client.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        except Exception as error:
            if not self._at:
                raise
            self._on_error(error)
            self._go_back(self._at)
            self._apart_until_s = asyncio.get_running_loop().time() + _APART_S
            return {}
        return found

    async def _each(self, paused: Iterable[Any]) -> Found:
        if asyncio.get_running_loop().time() >= self._apart_until_s:
            self._together(paused)
            return {}
        found: dict[Any, Sequence[Any]] = {}
        errors: list[Exception] = []
        tried = [partition for partition in self._at if partition not in self.barred]
        for partition in tried:
            try:
                found.update(await self._client.getmany(partition, timeout_ms=0, max_records=_MAX_RECORDS))
            except Exception as error:  # noqa: BLE001 - as above
                errors.append(error)
                self._bar(partition, error)
        if errors and not set(self._at) - self.barred:
            raise errors[-1]
        if not found:
            await asyncio.sleep(_POLL_S)
        return found

    def _bar(self, partition: Any, error: Exception) -> None:
        self._on_error(error)
        self._go_back([partition])
        self.barred.add(partition)
        with suppress(KafkaError):
            self._client.pause(partition)

    def _together(self, paused: Iterable[Any]) -> None:
        """Try again whether all can be read."""
        self._apart_until_s = 0.0
        for partition in self.barred.difference(paused):
            with suppress(KafkaError):
                self._client.resume(partition)
        self.barred.clear()

    def _go_back(self, partitions: Iterable[Any]) -> None:
        """What the client has given up or still holds is fetched again."""
        for partition in partitions:
            with suppress(KafkaError):
                self._client.seek(partition, self._at[partition])
