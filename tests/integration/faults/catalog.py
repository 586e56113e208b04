"""All scenarios by name, with the sizes of their long and their short forms."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, Self

from tests.integration.faults import brokers, disks, endurance, kills, refusals, sampling
from tests.integration.faults.bench import Bench, Result


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; see `Bench`."""

    KEYS: ClassVar = ("faults", "interval_s", "away_s", "spans", "delay_s")
    faults: int = 2
    interval_s: float = 0.7
    away_s: float = 2
    spans: int = 12_000
    delay_s: float = 0.045

    def changed(self, **keys: Any) -> Self:
        """With other figures."""
        return dataclasses.replace(self, **keys)

    def keys(self) -> dict[str, Any]:
        """As keyword arguments of `Bench`."""
        return dataclasses.asdict(self)


_SHORT: Final = Size()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, what it does, and how long it is in `make eval-faults` and in `make test`."""

    name: str
    run: Callable[[Bench], Result]
    long: Size
    short: Size = _SHORT
    is_quick: bool = True
    """Whether the short form is for `make test`."""
    collectors: Sequence[str] = ("penstock", "otelcol")
    is_repeating: bool = False
    """Whether much is repeated by its nature, which then does not count in the share of all scenarios."""


_KILLS: Final = Size(faults=100, interval_s=8, delay_s=0.002)
_ONE: Final = Size(faults=1)
# traces wait for their decision when it comes
_ONE_LATE: Final = Size(faults=1, interval_s=2)
_SAMPLING: Final = Size(faults=40, interval_s=6)
_BROKER_KILLS: Final = Size(faults=10, interval_s=5)
_AWAY: Final = Size(away_s=60, interval_s=5)
_SPANS: Final = Size(spans=100_000, interval_s=2)
_BATCH: Final = {"batch": {"flush_timeout": "100ms", "min_size": 500, "max_size": 1000}}
_PROCESSOR: Final = {"batch": {"timeout": "100ms", "send_batch_size": 500}}
# the Collector's safest setting
_KAFKA_MARKED: Final = partial(kills.kafka_kill, theirs={"message_marking": {"after": True}}, queue=False)

SCENARIOS: Final = (
    Scenario("durable_kill", kills.durable_kill, _KILLS),
    Scenario("durable_kill_batch", partial(kills.durable_kill, queue=_BATCH), _KILLS),
    Scenario("durable_kill_processor", partial(kills.durable_kill, processors=_PROCESSOR), _KILLS),
    Scenario("kafka_kill", kills.kafka_kill, _KILLS),
    Scenario("kafka_kill_marked", _KAFKA_MARKED, _KILLS, collectors=("otelcol",)),
    Scenario("kafka_out_kill", kills.kafka_out_kill, _KILLS),
    Scenario("broker_kill_out", brokers.broker_kill_out, _BROKER_KILLS, _ONE),
    Scenario("broker_kill_in", brokers.broker_kill_in, _BROKER_KILLS, _ONE),
    Scenario("rebalance", brokers.rebalance, Size(faults=20, interval_s=4)),
    Scenario(
        "sampling_kill",
        sampling.sampling_kill,
        _SAMPLING,
        _ONE_LATE,
        is_quick=False,
        collectors=("penstock",),
        is_repeating=True,
    ),
    Scenario(
        "sampling_kill_topic",
        sampling.sampling_kill_topic,
        _SAMPLING,
        _ONE_LATE,
        collectors=("penstock",),
        is_repeating=True,
    ),
    Scenario(
        "sampling_kill_budget",
        sampling.sampling_kill_budget,
        _SAMPLING,
        _ONE_LATE,
        is_quick=False,
        collectors=("penstock",),
        is_repeating=True,
    ),
    Scenario(
        "sampling_rebalance",
        sampling.sampling_rebalance,
        _SAMPLING,
        _ONE_LATE.changed(faults=2),
        collectors=("penstock",),
        is_repeating=True,
    ),
    Scenario("away", refusals.away, _AWAY),
    Scenario("away_durable", partial(refusals.away, durable=True), _AWAY),
    Scenario("away_kafka", refusals.away_kafka, _AWAY),
    Scenario("disk_full", disks.disk_full, Size(away_s=10)),
    Scenario("file_flipped", partial(disks.damaged_file, damage=disks.flipped), _SPANS),
    Scenario("file_head_flipped", partial(disks.damaged_file, damage=disks.flipped_head), _SPANS),
    Scenario("file_truncated", partial(disks.damaged_file, damage=disks.truncated, share=0.4), _SPANS),
    Scenario("poison", refusals.poison, _SPANS),
    Scenario("poison_batch", partial(refusals.poison, queue=_BATCH), _SPANS),
    Scenario("too_large", refusals.too_large, _SPANS),
    Scenario("sigterm_refusing", refusals.sigterm_refusing, Size()),
    Scenario("memory_flat", endurance.memory_flat, Size(spans=1_000_000)),
    Scenario("heartbeat", endurance.heartbeat, Size(away_s=60, spans=100_000), is_quick=False),
)


def named(patterns: Sequence[re.Pattern[str]] | None) -> Iterator[Scenario]:
    """Those whose whole name matches one of the patterns; all when there is none."""
    for scenario in SCENARIOS:
        if not patterns or any(pattern.fullmatch(scenario.name) for pattern in patterns):
            yield scenario
