"""How many bytes of telemetry this process holds: what the memory limiter looks at first."""

from __future__ import annotations

import threading
from typing import Final


class Ledger:
    """Sums that batches enter on birth and leave on death. Thread-safe: batches may die in any thread.

    Attributes:
        held_bytes: of batches, which may have a message and views beside their bytes.
        resting_bytes: of what waits as bytes alone.
    """

    __slots__ = ("_lock", "held_bytes", "resting_bytes")

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self.held_bytes = 0
        self.resting_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Enter (or, negative, leave) `size_bytes`."""
        with self._lock:
            self.held_bytes += size_bytes

    def rest(self, size_bytes: int) -> None:
        """Enter (or, negative, leave) bytes that wait as nothing but bytes."""
        with self._lock:
            self.resting_bytes += size_bytes


# One per process, as the memory it measures is.
LEDGER: Final = Ledger()
