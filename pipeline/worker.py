"""Which of the processes of one `penstock --workers N` this is, and what they have in common."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "PENSTOCK_WORKER"
"""Set by the parent for each worker: `index/count`, for example `0/4`."""
CONTROL_VARIABLE: Final = "PENSTOCK_WORKER_CONTROL"
"""Set by the parent: the number of the descriptor over which a worker and it talk."""
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Worker:
    """One of `count` processes that run the same configuration; a process alone is the first of one."""

    index: int = 0
    count: int = 1

    @classmethod
    def of_environment(cls) -> Worker:
        """What the parent says; alone where there is no parent."""
        index, _, count = os.environ.get(VARIABLE, "0/1").partition("/")
        return cls(int(index), int(count))


ALONE: Final = Worker()


class RunSecret:
    """A random secret of one run, the same in all its workers and new with every start."""

    def __init__(self) -> None:
        """Make nothing yet."""
        self._secret: bytes | None = None

    def adopt(self, secret: bytes) -> None:
        """Take the parent's, before anything is derived."""
        self._secret = secret

    def take(self) -> bytes:
        """The secret itself, to hand it down."""
        if self._secret is None:
            self._secret = os.urandom(SECRET_BYTES)
        return self._secret

    def key(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose; those of two purposes say nothing of each other (RFC 5869, expand)."""
        return hmac.digest(self.take(), purpose.encode() + b"\x01", hashlib.sha256)


RUN_SECRET: Final = RunSecret()
