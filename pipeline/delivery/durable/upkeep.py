"""Compaction of a queue file in use: when its steps are taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.delivery.durable.file.compaction import Compactor
from pipeline.delivery.durable.file.errors import translated
from pipeline.delivery.durable.file.store import Store
from pipeline.delivery.durable.jobs import Jobs
from pipeline.delivery.durable.settings import Rebound


class Upkeep:
    """Takes small steps between the commits.

    Args:
        jobs: of the file.
        is_sound: whether a step may be taken now; a file that is to be replaced is left alone.
        on_outcome: is told what came of each, a StoreError among it.
    """

    def __init__(self, jobs: Jobs, is_sound: Callable[[], bool], on_outcome: Callable[[object], None]) -> None:
        """Nothing is done before `start`."""
        self._jobs = jobs
        self._is_sound = is_sound
        self._on_outcome = on_outcome
        self._compactor: Compactor | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def start(self, store: Store, rebound: Rebound | None) -> None:
        """Look after this file from now on; without `rebound` it is left as it is."""
        self._compactor = None if rebound is None else Compactor(store.connection, rebound)
        self._plan()

    def stop(self) -> None:
        """Take no further step."""
        self._is_stopped = True
        self._plan()

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._compactor is not None and not self._is_stopped:
            self._timer = asyncio.get_running_loop().call_later(self._compactor.wait_s, self._step)

    def _step(self) -> None:
        compactor = self._compactor
        if compactor is None or not self._is_sound():
            self._plan()
            return

        def step() -> bool:
            with translated():
                return compactor.step()

        self._jobs.run(step, self._stepped)

    def _stepped(self, outcome: object) -> None:
        self._on_outcome(outcome)
        self._plan()
