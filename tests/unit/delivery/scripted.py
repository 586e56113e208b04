"""An exporter that answers as a test says, and a delivery stage around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.component import Exporter, Host
from pipeline.delivery import Batching, DeliveryConfig, DeliveryStage, RetryOnFailure, SendingQueue
from pipeline.registry import Kind
from pipeline.signals import Batch, Context, Outcome, Signal, Span, Value
from pipeline.testing import FakeClock, make_host, metric_value, traces

Answer = Exception | Callable[[list[int]], Exception | None] | float | None
"""An error to raise, a decision by the ids in the request, seconds to hang (then it arrives), or None: it arrives."""


class ScriptedExporter(Exporter):
    """Keeps the ids of what arrived, request by request."""

    type = "scripted"
    Config = DeliveryConfig

    def __init__(self, config: DeliveryConfig, host: Host, answers: Iterable[Answer] = ()) -> None:
        super().__init__(config, host)
        self.answers = list(answers)
        self.default: Answer = None
        self.requests: list[list[int]] = []
        self.arrived: list[list[int]] = []
        self.under_way = 0
        self.most_under_way = 0

    async def export(self, batch: Batch) -> None:
        ids = ids_of(batch)
        self.requests.append(ids)
        answer = self.answers.pop(0) if self.answers else self.default
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._answer(answer, ids)
        finally:
            self.under_way -= 1
        self.arrived.append(ids)

    async def _answer(self, answer: Answer, ids: list[int]) -> None:
        if isinstance(answer, float):
            await self.host.clock.sleep(answer)
        elif isinstance(answer, Exception):
            raise answer
        elif answer is not None:
            error = answer(ids)
            if error is not None:
                raise error

    @property
    def arrived_ids(self) -> list[int]:
        return sorted(number for request in self.arrived for number in request)


def ids_of(batch: Batch) -> list[int]:
    """The attribute `id` of every span."""
    return [_id(record) for record in batch.records()]


def _id(record: Any) -> int:
    assert isinstance(record, Span)
    number = record.attributes["id"]
    assert isinstance(number, int)
    return number


def batch_of(*ids: int, size: int = 0, metadata: Mapping[str, str] | None = None) -> Batch:
    """A batch of one span for each id, with `size` characters of text in each and client metadata."""
    context = Context(metadata={key: (value,) for key, value in (metadata or {}).items()})
    spans: list[dict[str, Value]] = [{"id": number, "text": "x" * size} for number in ids]
    return traces(*spans, context=context)


@dataclass
class Rig:
    """A stage under test with what it is made of."""

    stage: DeliveryStage
    exporter: ScriptedExporter
    host: Host
    clock: FakeClock
    sent: list[Batch] = field(default_factory=list)

    async def consume(self, batch: Batch) -> Batch:
        """Hand a batch over and keep it."""
        self.sent.append(batch)
        await self.stage.consume(batch)
        return batch

    def metric(self, name: str, **labels: str) -> float:
        """Value of one of the stage's own metrics, without the prefix."""
        return metric_value(self.host, f"otelcol_exporter_{name}", **labels)

    @property
    def queue_size(self) -> float:
        return self.metric("queue_size", data_type="traces")


def rig(
    *answers: Answer,
    queue: dict[str, Any] | None = None,
    batch: dict[str, Any] | None = None,
    retry: dict[str, Any] | None = None,
    timeout: float = 5.0,
    host: Host | None = None,
) -> Rig:
    """A stage with the keys given; waits without jitter."""
    host = host or make_host("scripted", kind=Kind.EXPORTER)
    clock = host.clock
    assert isinstance(clock, FakeClock)
    block = None if batch is None else Batching(**batch)
    config = DeliveryConfig(
        timeout=timeout,
        sending_queue=SendingQueue(**{"batch": block, **(queue or {})}),
        retry_on_failure=RetryOnFailure(**{"randomization_factor": 0.0, **(retry or {})}),
    )
    exporter = ScriptedExporter(config, host, answers)
    return Rig(DeliveryStage(exporter, config, host, Signal.TRACES), exporter, host, clock)


async def started(made: Rig) -> Rig:
    await made.stage.start()
    return made


def outcomes(batches: Iterable[Batch]) -> list[Outcome | None]:
    """How each batch ended; None for one that has not."""
    return [batch.delivery.outcome if batch.delivery.resolved else None for batch in batches]


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(25):
        await asyncio.sleep(0)
