"""Processor `memory_limiter`: refuses data before the process runs out of memory.

What counts first is the telemetry this process holds (batches, queues, buffers), since it falls the moment data leaves.
The resident size is the backstop for what that sum cannot see. CPython seldom gives memory back, so that a limiter
that looked at the resident size alone would refuse for ever: here it is measured against the limit only after garbage
collection and `malloc_trim`, and never refuses while next to nothing is held.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import Field, model_validator

from pipeline.cgroup import limits
from pipeline.component import Host, Processor
from pipeline.config import ConfigModel, Duration, InvalidKey
from pipeline.errors import Refused
from pipeline.signals import LEDGER, Batch, Rooms

_MIB: Final = 1 << 20

# Beside its bytes a batch has a parsed message and views; measured 2.5 to 4 times its bytes for LLM spans.
_HELD_FACTOR: Final = 3

# The resident size refuses only while at least this share of the limit is telemetry: otherwise refusing frees nothing.
_HELD_SHARE: Final = 0.1


class MemoryLimiterConfig(ConfigModel):
    """Limits, and how often they are checked."""

    check_interval: Duration = Field(0.0, description="Time between measurements; must be above zero, 1s is good.")
    limit_mib: int = Field(0, ge=0, description="Hard limit, MiB.")
    spike_limit_mib: int = Field(0, ge=0, description="Distance of the soft limit below the hard one, MiB; 0: 20 %.")
    limit_percentage: int = Field(0, ge=0, le=100, description="Hard limit, percent of the memory there is (cgroup).")
    spike_limit_percentage: int = Field(0, ge=0, le=100, description="As spike_limit_mib, percent of the memory.")
    min_gc_interval_when_soft_limited: Duration = Field(10.0, ge=0, description="Pause between collections, soft.")
    min_gc_interval_when_hard_limited: Duration = Field(0.0, ge=0, description="Pause between collections, hard.")
    max_gc_interval_when_soft_limited: Duration = Field(30.0, ge=0, description="Longest pause when they free little.")
    max_gc_interval_when_hard_limited: Duration = Field(30.0, ge=0, description="Longest pause when they free little.")

    @model_validator(mode="after")
    def _limits_make_sense(self) -> MemoryLimiterConfig:
        if self.check_interval <= 0:
            raise InvalidKey("'check_interval' must be greater than zero, e.g. 1s", "check_interval")
        if not self.limit_mib and not self.limit_percentage:
            raise ValueError("'limit_mib' or 'limit_percentage' must be greater than zero")
        if self.limit_mib and self.spike_limit_mib >= self.limit_mib:
            raise InvalidKey("'spike_limit_mib' must be smaller than 'limit_mib'", "spike_limit_mib")
        if not self.limit_mib and self.spike_limit_percentage >= self.limit_percentage:
            raise InvalidKey(
                "'spike_limit_percentage' must be smaller than 'limit_percentage'", "spike_limit_percentage"
            )
        return self


class MemoryLimiter(Processor):
    """Refuses data, retryably, while this process holds more than the soft limit; stands first in a pipeline."""

    type = "memory_limiter"
    example = "{check_interval: 1s, limit_mib: 512}"
    mutates = False
    Config = MemoryLimiterConfig
    config: MemoryLimiterConfig

    def __init__(self, config: MemoryLimiterConfig, host: Host, rss: Callable[[], int] | None = None) -> None:
        """Compute the limits of this process. `rss` reads the resident size in bytes (tests put their own)."""
        super().__init__(config, host)
        # Workers share the memory of one container, and so the limits that were set for it.
        self.hard_bytes, self.soft_bytes = (limit // host.worker.count for limit in _limits(config))
        self._rss = rss or _resident_bytes
        self._refusing = False
        self._collected_at = float("-inf")
        self._gc_interval_s = 0.0
        self._accepted: dict[str, Any] = {}
        watch = host.meter.watch
        watch("penstock_memory_limiter_used_bytes", "Memory as the limiter measures it.", self._used_bytes)
        watch("penstock_memory_limiter_limit_bytes", "Memory above which data is refused.", lambda: self.soft_bytes)
        host.log.info("Memory limiter configured", limit_mib=self.hard_bytes // _MIB, soft_mib=self.soft_bytes // _MIB)

    async def start(self) -> None:
        """Begin to measure."""
        self.host.tasks.spawn(self._watch, "memory_limiter")

    async def _watch(self) -> None:
        while True:
            self.check()
            await self.host.clock.sleep(self.config.check_interval)

    def check(self) -> None:
        """Measure, collect garbage where it may help, and decide whether data is refused."""
        used = self._used_bytes()
        if used > self.soft_bytes and self._collect(hard=used > self.hard_bytes):
            used = self._used_bytes()
        self._set_refusing(used > self.soft_bytes, used)

    def _used_bytes(self) -> int:
        held = _held_bytes()
        rss = self._rss()
        return max(held, rss) if held >= _HELD_SHARE * self.hard_bytes else held

    def _collect(self, *, hard: bool) -> bool:
        config = self.config
        least = config.min_gc_interval_when_hard_limited if hard else config.min_gc_interval_when_soft_limited
        most = config.max_gc_interval_when_hard_limited if hard else config.max_gc_interval_when_soft_limited
        now = self.host.clock.monotonic()
        if now - self._collected_at < max(least, min(self._gc_interval_s, most)):
            return False
        before = self._rss()
        self._collected_at = now
        if hard:
            self.host.log.warning("Memory usage is above hard limit. Forcing a GC.", cur_mem_mib=before // _MIB)
        gc.collect()
        _trim()
        freed = before - self._rss()
        # A collection that frees under 5 % is not worth repeating soon: the pause doubles up to the longest.
        self._gc_interval_s = 0.0 if freed > 0.05 * before else max(2 * self._gc_interval_s, config.check_interval)
        self.host.log.info("Memory usage after GC.", cur_mem_mib=self._rss() // _MIB)
        return True

    def _set_refusing(self, refusing: bool, used: int) -> None:
        if refusing and not self._refusing:
            self.host.log.warning("Memory usage is above soft limit. Refusing data.", cur_mem_mib=used // _MIB)
        elif self._refusing and not refusing:
            self.host.log.info("Memory usage back within limits. Resuming normal operation.", cur_mem_mib=used // _MIB)
        self._refusing = refusing

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Refuse before a fan-out commits to anything."""
        if self._must_refuse(batch):
            raise self._refusal(batch)
        await self.next.reserve(batch, rooms)

    async def consume(self, batch: Batch) -> None:
        """Pass on, or refuse."""
        if self._must_refuse(batch):
            raise self._refusal(batch)
        self._count("accepted", batch)
        await self.next.consume(batch)

    def _must_refuse(self, batch: Batch) -> bool:
        # The held sum is exact at any moment, so that a burst between two checks cannot pass the hard limit.
        return self._refusing or _held_bytes() > self.hard_bytes

    def _refusal(self, batch: Batch) -> Refused:
        self._count("refused", batch)
        return Refused("data refused due to high memory usage")

    def _count(self, outcome: str, batch: Batch) -> None:
        name = f"otelcol_processor_memory_limiter_{outcome}_{batch.signal.items}"
        counter = self._accepted.get(name)
        if counter is None:
            counter = self._accepted[name] = self.host.meter.counter(name, f"Items {outcome} by the memory limiter.")
        counter.inc(batch.count)


def _held_bytes() -> int:
    return LEDGER.held_bytes * _HELD_FACTOR + LEDGER.resting_bytes


def _limits(config: MemoryLimiterConfig) -> tuple[int, int]:
    """Hard and soft limit in bytes; `_mib` keys win, the default spike is 20 % of the limit."""
    if config.limit_mib:
        hard = config.limit_mib * _MIB
        spike = config.spike_limit_mib * _MIB
    else:
        total = memory_bytes()
        hard = total * config.limit_percentage // 100
        spike = total * config.spike_limit_percentage // 100
    return hard, hard - (spike or hard // 5)


def memory_bytes(root: Path = Path("/")) -> int:
    """Memory this process may use: the least limit of its cgroups (v2, v1) where they have one, else the machine's."""
    texts = [
        *limits("memory.max", root=root),
        *limits("memory.limit_in_bytes", controller="memory", root=root),
    ]
    return min([_machine_bytes(), *(int(text) for text in texts if text.isdigit())])


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        # macOS has no /proc; its peak (in bytes) is the best the standard library knows.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()


def _trim() -> None:
    """Give freed memory back to the system where the C library can (glibc)."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
