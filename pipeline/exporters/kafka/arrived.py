"""What arrived of a batch that was rejected in part, so that its pieces, sent one by one, bring nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from pipeline.clock import Clock
from pipeline.signals import Batch, Content, Signal, wire

# The pieces of a rejected batch follow at once; what is not asked for by then was given up.
_KEPT_S: Final = 60.0
_DIGEST_BYTES: Final = 16


class Arrived:
    """Items by their digest. Empty, and without cost, as long as brokers reject nothing."""

    def __init__(self, clock: Clock) -> None:
        """Nothing has been rejected."""
        self._clock = clock
        self._items: Counter[bytes] = Counter()
        self._until_s = 0.0

    def note(self, signal: Signal, requests: Iterable[bytes]) -> None:
        """Remember the items of serialised requests for a minute."""
        self._until_s = self._clock.monotonic() + _KEPT_S
        for raw in requests:
            self._items.update(_digest(item) for item, _ in wire.split(signal, raw, max_items=1))

    def rest(self, batch: Batch) -> tuple[Batch | None, list[bytes]]:
        """The batch without what has arrived, None when all has; and the requests of the items left out."""
        if self._items and self._clock.monotonic() > self._until_s:
            self._items.clear()
        if not self._items:
            return batch, []
        left: list[bytes] = []
        out: list[bytes] = []
        for item, _ in wire.split(batch.signal, batch.serialize(), max_items=1):
            digest = _digest(item)
            if self._items[digest] > 0:
                self._items[digest] -= 1
                out.append(item)
            else:
                left.append(item)
        self._items += Counter()
        if not out:
            return batch, []
        if not left:
            return None, out
        return Batch(Content(batch.signal, len(left), raw=b"".join(left)), batch.context), out


def _digest(item: bytes) -> bytes:
    return blake2b(item, digest_size=_DIGEST_BYTES).digest()
