"""Bounds learned from what was seen: a percentile for each key, from past windows, fixed within a window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration
from processors.tail_sampling.learning.sketches import Buckets, bucket_of, value_of

_KEEP: Final = 0.5
"""What is left of a window's weight after each further one."""
_MINUTES_5: Final = 300.0


class LearningConfig(ConfigModel):
    """A bound that is learned from what other traces had."""

    above: float | None = Field(
        default=None, gt=0, lt=1, description="Values above this quantile of past windows, such as 0.99."
    )
    below: float | None = Field(
        default=None, gt=0, lt=1, description="Values below this quantile of past windows, such as 0.05."
    )
    per_tenant: bool = Field(default=False, description="Whether each tenant has bounds of its own.")
    window: Duration = Field(default=_MINUTES_5, gt=0, description="Bounds change at its edges only.")
    min_count: int = Field(
        default=100, ge=1, description="Values that a bound is learned from at least; until then it keeps nothing."
    )
    max_keys: int = Field(
        default=1000, ge=1, description="Combinations that are remembered, those seen last; others have no bound."
    )

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("set either above or below")
        return self


class Learned:
    """What one key's values were."""

    __slots__ = ("bound", "now", "past", "window")

    def __init__(self, window: int) -> None:
        """Seen first in this window."""
        self.window = window
        self.now = Buckets()
        self.past = Buckets()
        self.bound: int | None = None


class Percentiles:
    """Learns a bound for each key; state of a policy that outlives a reload.

    Windows fade: each further one halves the weight of those before, so that keys with few values are learned, too,
    and a change of the values is followed.
    """

    def __init__(self, config: LearningConfig) -> None:
        """Nothing has been seen."""
        self._share = config.above if config.above is not None else config.below or 0.0
        self._is_above = config.above is not None
        self._window_s = config.window
        self._min_count = config.min_count
        self._max_keys = config.max_keys
        self._keys: OrderedDict[Hashable, Learned] = OrderedDict()

    def __len__(self) -> int:
        """Keys that are remembered."""
        return len(self._keys)

    def bound(self, key: Hashable, now_s: float) -> float | None:
        """The bound of a key, within 2 % of the quantile; None: too little is known."""
        bound = self._learned(key, now_s).bound
        return None if bound is None else value_of(bound)

    def beyond(self, key: Hashable, values: Iterable[float], now_s: float) -> list[float]:
        """Those of the values that lie beyond the key's bound; all are learned for the windows to come."""
        learned = self._learned(key, now_s)
        bound, found = learned.bound, []
        for value in values:
            bucket = bucket_of(value)
            learned.now.add(bucket)
            if bound is not None and (bucket > bound if self._is_above else bucket < bound):
                found.append(value)
        return found

    def _learned(self, key: Hashable, now_s: float) -> Learned:
        window = int(now_s // self._window_s)
        learned = self._keys.get(key)
        if learned is None:
            learned = self._keys[key] = Learned(window)
            if len(self._keys) > self._max_keys:
                self._keys.popitem(last=False)
        else:
            self._keys.move_to_end(key)
            if window > learned.window:
                self._turn(learned, window)
        return learned

    def _turn(self, learned: Learned, window: int) -> None:
        """Take a key over the edges that have passed since it was seen."""
        passed = window - learned.window
        learned.past.blend(_KEEP**passed, learned.now, _KEEP ** (passed - 1))
        learned.now = Buckets()
        learned.window = window
        enough = learned.past.total >= self._min_count
        learned.bound = learned.past.quantile(self._share) if enough else None
