"""The keys of an issuer in memory: renewed now and then, and when a token names one that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.component import Host
from pipeline.errors import Refused, StartError
from pipeline.extensions.oidc.keys import Key, matching
from pipeline.extensions.oidc.sources import KeySource, KeysUnavailable

_FLOOR_S: Final = 10.0
"""Least time between two requests for keys, however many tokens name keys that do not exist."""
RENEWAL_S: Final = 300.0
"""How often keys are read anew, so that one that the issuer has taken back is not trusted for long."""
_MAX_WAITING: Final = 256
"""Tokens with unknown keys, each with a request behind it, that wait for the issuer's answer."""


class Keyring:
    """Finds keys. What was read stays in force while the issuer is away."""

    def __init__(self, source: KeySource, host: Host, changed: Callable[[], None]) -> None:
        """`changed` is called when the keys are others than before."""
        self.source = source
        self._host = host
        self._changed = changed
        self._keys: Sequence[Key] = ()
        self._seen: frozenset[tuple[str, frozenset[str], object]] = frozenset()
        self._reading = asyncio.Lock()
        self._waiting = 0
        self._read_at_s = 0.0
        self._problem = ""

    async def start(self) -> None:
        """Read the keys for the first time. Raises StartError."""
        await self._read()
        if self._problem:
            raise StartError(self._problem)

    async def keep(self, interval_s: float) -> None:
        """Read them again every so often."""
        while True:
            await self._host.clock.sleep(interval_s)
            async with self._reading:
                await self._read()

    async def find(self, kid: str, algorithm: str) -> Sequence[Key]:
        """Keys that may have signed a token, after a look at the issuer's where there is none.

        Raises:
            Refused: it is not known whether there is such a key, since the issuer cannot be asked.
        """
        found = matching(self._keys, kid, algorithm)
        if found:
            return found
        if self._waiting >= _MAX_WAITING:
            raise Refused("the issuer of tokens is slow to give its keys; try again later")
        self._waiting += 1
        try:
            async with self._reading:
                if self._host.clock.monotonic() - self._read_at_s >= _FLOOR_S:
                    await self._read()
        finally:
            self._waiting -= 1
        if not (found := matching(self._keys, kid, algorithm)) and self._problem:
            raise Refused("keys of the token's issuer cannot be read now; try again later")
        return found

    async def _read(self) -> None:
        try:
            await self._fetch()
        finally:
            # From the end on: a slow issuer is not asked again at once by each who has waited.
            self._read_at_s = self._host.clock.monotonic()

    async def _fetch(self) -> None:
        try:
            keys = await self.source.fetch()
        except KeysUnavailable as error:
            if self._problem != str(error):
                self._host.log.error("Keys cannot be read. Those in memory stay in force.", error=str(error))
            self._problem = str(error)
            return
        self._problem = ""
        seen = frozenset((key.kid, key.algorithms, _numbers(key)) for key in keys)
        self._keys = keys
        if seen != self._seen:
            self._seen = seen
            self._changed()


def _numbers(key: Key) -> object:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - heavy

    return key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
