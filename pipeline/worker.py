"""Which of the processes of one `penstock --workers N` this is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "PENSTOCK_WORKER"
"""Set by the parent for each worker: `index/count`, for example `0/4`."""


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
