"""`rate_limiting` and `bytes_limiting`: as much as a token bucket lets through."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.config import ConfigModel
from processors.tail_sampling.policy import LIMITED, UNKNOWN, Policy, Setting, TraceFacts


class TokenBucket:
    """Fills at a rate up to its capacity, and is full at the beginning.

    With a share of them, what takes more than this capacity, but not more than the whole, is taken on account.
    """

    def __init__(self, per_second: float, capacity: float, share: float = 1.0) -> None:
        """A bucket with its share of rate and capacity."""
        self._per_second, self._capacity, self._most = per_second * share, capacity * share, capacity
        self._tokens = self._capacity
        self._at_s: float | None = None

    def take(self, count: float, now_s: float) -> bool:
        """Take so many tokens, all or none; whether they were there."""
        if self._at_s is not None and now_s > self._at_s:
            self._tokens = min(self._capacity, self._tokens + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        if count > self._most or min(count, self._capacity) > self._tokens:
            return False
        self._tokens -= count
        return True


class RateLimitingConfig(ConfigModel):
    """How many spans."""

    spans_per_second: int = Field(0, ge=0, description="Spans a second, of all workers together.")
    burst_capacity: int = Field(0, ge=0, description="Spans at once at most; 0: twice spans_per_second.")


class BytesLimitingConfig(ConfigModel):
    """How many bytes."""

    bytes_per_second: int = Field(0, ge=0, description="Bytes of protobuf a second, of all workers together.")
    burst_capacity: int = Field(0, ge=0, description="Bytes at once at most; 0: twice bytes_per_second.")


class _Limiting(Policy):
    """Keeps a trace where the bucket has what it costs; with what probability, nobody knows."""

    spends = True
    is_known = False

    def _fill(self, config: Any, per_second: int, setting: Setting) -> None:
        capacity = config.burst_capacity or 2 * per_second
        self._bucket = setting.remembered(self.name, config, lambda: TokenBucket(per_second, capacity, setting.share))


class RateLimiting(_Limiting):
    """Keeps so many spans a second; bursts up to a capacity."""

    type = "rate_limiting"
    Config = RateLimitingConfig

    def __init__(self, name: str, config: RateLimitingConfig, setting: Setting) -> None:
        """A bucket of spans."""
        super().__init__(name, config, setting)
        self._fill(config, config.spans_per_second, setting)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """UNKNOWN where its spans are in the bucket; they are taken out."""
        return UNKNOWN if self._bucket.take(trace.span_count, now_s) else LIMITED


class BytesLimiting(_Limiting):
    """Keeps so many bytes a second; bursts up to a capacity."""

    type = "bytes_limiting"
    Config = BytesLimitingConfig

    def __init__(self, name: str, config: BytesLimitingConfig, setting: Setting) -> None:
        """A bucket of bytes."""
        super().__init__(name, config, setting)
        self._fill(config, config.bytes_per_second, setting)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """UNKNOWN where its bytes are in the bucket; they are taken out."""
        return UNKNOWN if self._bucket.take(trace.size_bytes, now_s) else LIMITED
