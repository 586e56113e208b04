"""Whether one item is kept, and what is written on it."""

from __future__ import annotations

from typing import Final, NamedTuple

from processors.probabilistic_sampler.modes import Mode
from processors.sampling.thresholds import ALWAYS, NEVER

ANY_RANDOMNESS: Final = NEVER - 1
"""In place of R where an item has none: only NEVER is beyond it."""
BY_PRIORITY: Final = "sampling_priority"
_BY_ITS_OWN: Final = "sampling_randomness"
_MISSING: Final = "missing_randomness"


class Told(NamedTuple):
    """What an item says of its sampling so far."""

    threshold: int | None = None
    randomness: int | None = None
    is_malformed: bool = False


NOTHING_TOLD: Final = Told()


class Source(NamedTuple):
    """R by what an item consists of, and what that is called in metrics."""

    randomness: int
    policy: str


_NONE: Final = Source(ANY_RANDOMNESS, _MISSING)


class Verdict(NamedTuple):
    """The fate of one item.

    Attributes:
        policy: what decided, for the metrics.
        writes: whether threshold and randomness are written; else the item stays as it came.
        threshold: T to be written; None: none, an incoming one is erased.
        randomness: R to be written; None: what came stays.
    """

    kept: bool
    policy: str
    writes: bool = False
    threshold: int | None = None
    randomness: int | None = None


class Judge:
    """Decides by a mode, and by what is done where deciding fails."""

    def __init__(self, mode: Mode, *, fail_closed: bool) -> None:
        """Decide by `mode`."""
        self.mode = mode
        self._on_error = NEVER if fail_closed else ALWAYS

    def verdict(self, told: Told, source: Source | None, forced: int | None = None) -> Verdict:
        """The fate of an item; `source` is R by its trace id or the like, `forced` the T of its own priority."""
        mode = self.mode
        is_told = told.threshold is not None or told.randomness is not None
        # Who sampled by the standard has said so; a hash says something else.
        fails = told.is_malformed or (mode.hashes and is_told and not mode.keeps_none)
        if told.randomness is not None and not fails:
            source = Source(told.randomness, _BY_ITS_OWN)
        elif told.is_malformed and not mode.hashes:
            source = None
        randomness, policy = source or _NONE
        is_wrong = not fails and source is not None and told.threshold is not None and told.threshold > randomness
        threshold = self._on_error
        if not fails and (mode.keeps_none or (source is not None and not is_wrong)):
            threshold = mode.threshold(told.threshold)
        if forced is not None:
            threshold, policy = forced, BY_PRIORITY
        elif mode.keeps_none:
            policy = BY_PRIORITY
        if threshold > randomness:
            return Verdict(kept=False, policy=policy)
        if fails:
            return Verdict(kept=True, policy=policy)
        if is_wrong:
            # How likely it came here, nobody knows.
            return Verdict(kept=True, policy=policy, writes=True)
        written = threshold if told.threshold is None else max(threshold, told.threshold)
        needs_randomness = mode.hashes and not is_told and not (mode.keeps_none and written == ALWAYS)
        return Verdict(True, policy, True, written, randomness if needs_randomness else None)
