"""How the group shares its partitions out: the Collector's words, and what the client library has for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.receivers.kafka.config import Strategy


def assignors(strategies: Iterable[Strategy]) -> tuple[type[Any], ...]:
    """Classes of aiokafka for the strategies, in order; `cooperative-sticky` becomes `sticky`."""
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # noqa: PLC0415 - only those who use Kafka
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # noqa: PLC0415
    from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor  # noqa: PLC0415

    class Sticky(StickyPartitionAssignor):  # type: ignore[misc]  # the library has no types
        """The library keeps what a member had in the class: each member needs a class of its own."""

    known: dict[Strategy, type[Any]] = {
        "cooperative-sticky": Sticky,
        "sticky": Sticky,
        "range": RangePartitionAssignor,
        "roundrobin": RoundRobinPartitionAssignor,
    }
    return tuple(dict.fromkeys(known[strategy] for strategy in strategies))
