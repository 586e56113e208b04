"""Whose turn it is to send, where batches must not overtake one another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec

_P = ParamSpec("_P")


class Turn:
    """One for all stages of an exporter: a reload makes a new one while the old one still sends."""

    def __init__(self) -> None:
        """It is nobody's turn."""
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[_P, Awaitable[None]], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Do the work when all that asked before have done theirs."""
        async with self._lock:
            await work(*args, **kwargs)
