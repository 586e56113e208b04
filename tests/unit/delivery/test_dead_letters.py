"""What a backend does not take goes to another exporter, and ends as it ends there."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from pipeline.dead_letter import PREFIX
from pipeline.delivery import DeliveryConfig, DeliveryStage, RetryOnFailure, SendingQueue
from pipeline.errors import Code, Refused, Rejected
from pipeline.registry import Kind
from pipeline.signals import Batch, Outcome, Rooms, Signal
from pipeline.testing import make_host, metric_value
from tests.unit.delivery.scripted import Answer, Rig, ScriptedExporter, batch_of, outcomes, rig, settle, started

AWAY = Refused("backend away", code=Code.UNAVAILABLE)
BAD = Rejected("bad span", code=Code.INVALID_ARGUMENT, divisible=True)


def without(culprit: int) -> Answer:
    """A backend that takes no request with the culprit in it."""
    return lambda ids: BAD if culprit in ids else None


class Letters(ScriptedExporter):
    """Keeps the metadata of what arrives, too."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.metadata: list[dict[str, str]] = []

    async def export(self, batch: Batch) -> None:
        await super().export(batch)
        self.metadata.append({name: ",".join(values) for name, values in batch.context.metadata.items()})


class Pair:
    """A stage and the stage that takes its dead letters."""

    def __init__(self, *answers: Answer, behind: Rig, **keys: Any) -> None:
        self.behind = behind
        config = DeliveryConfig(
            sending_queue=SendingQueue(**keys.get("queue", {})),
            retry_on_failure=RetryOnFailure(**{"randomization_factor": 0.0, **keys.get("retry", {})}),
        )
        self.host = make_host(keys.get("name", "otlp_grpc/main"), kind=Kind.EXPORTER, clock=behind.clock)
        self.exporter = ScriptedExporter(config, self.host, answers)
        self.stage = DeliveryStage(self.exporter, config, self.host, Signal.TRACES, behind.stage)
        self.letters = Letters(behind.exporter.config, behind.host)
        self.letters.answers, self.letters.default = behind.exporter.answers, behind.exporter.default
        behind.stage.exporter = self.letters

    def counted(self, reason: str) -> float:
        labels = {"component": "otlp_grpc/main", "reason": reason}
        value = self.host.meter.registry.collector.get_sample_value("penstock_dead_letters_total", labels)
        return value or 0.0


@pytest.mark.parametrize("queue", [{}, {"enabled": False}], ids=["queue", "no queue"])
async def test_the_culprit_alone_becomes_a_dead_letter(queue: dict[str, Any]) -> None:
    pair = Pair(behind=rig(), queue=queue)
    pair.exporter.default = without(3)

    batch = batch_of(1, 2, 3, 4, metadata={"tenant": "a", "kafka.topic": "t", "kafka.partition": "2"})
    await pair.stage.consume(batch)
    await settle()

    assert pair.exporter.arrived_ids == [1, 2, 4]
    assert pair.letters.arrived == [[3]]
    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert pair.counted("rejected") == 1
    assert metric_value(pair.host, "otelcol_exporter_send_failed_spans_total") == 1
    (metadata,) = pair.letters.metadata
    assert metadata.pop(PREFIX + "time_unix_ms").isdecimal()
    assert metadata == {
        "tenant": "a",
        "kafka.topic": "t",
        "kafka.partition": "2",
        PREFIX + "reason": "rejected",
        PREFIX + "error": "bad span",
        PREFIX + "component": "otlp_grpc/main",
        PREFIX + "topic": "t",
        PREFIX + "partition": "2",
        PREFIX + "attempt": "1",
        PREFIX + "signal": "traces",
    }


async def test_what_is_too_large_says_so() -> None:
    pair = Pair(Rejected("over 4 MiB", code=Code.RESOURCE_EXHAUSTED, divisible=True), behind=rig())

    await pair.stage.consume(batch_of(1))
    await settle()

    assert pair.letters.arrived == [[1]]
    assert pair.counted("too_large") == 1


async def test_a_backend_that_takes_nothing_at_all_leaves_everything_to_the_dead_letters() -> None:
    pair = Pair(behind=rig())
    pair.exporter.default = BAD

    batch = batch_of(*range(500))
    await pair.stage.consume(batch)
    await settle()

    assert sorted(pair.letters.arrived_ids) == list(range(500))
    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert pair.counted("rejected") == 500


async def test_what_the_queue_gives_up_when_retries_end_has_expired() -> None:
    pair = Pair(behind=rig(), retry={"max_elapsed_time": 30.0})
    pair.exporter.default = AWAY

    batch = batch_of(1)
    await pair.stage.consume(batch)
    await pair.behind.clock.advance(40)

    assert pair.letters.arrived == [[1]]
    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert pair.counted("expired") == 1


@pytest.mark.parametrize("queue", [{"enabled": False}, {"wait_for_result": True}], ids=["no queue", "wait_for_result"])
async def test_a_sender_that_waits_keeps_what_the_backend_may_take_later(queue: dict[str, Any]) -> None:
    pair = Pair(AWAY, behind=rig(), queue=queue, retry={"enabled": False})

    batch = batch_of(1)
    with pytest.raises(Refused, match="backend away"):
        await pair.stage.consume(batch)

    assert pair.letters.arrived == []
    assert not batch.delivery.resolved


async def test_what_a_stop_cuts_short_is_no_dead_letter() -> None:
    pair = Pair(behind=rig())
    pair.exporter.default = AWAY

    batch = batch_of(1)
    await pair.stage.consume(batch)
    await settle()
    stopping = asyncio.create_task(pair.stage.drain(3))
    await pair.behind.clock.advance(5)
    await stopping

    assert pair.letters.arrived == []
    assert outcomes([batch]) == [Outcome.FAILED]
    assert isinstance(batch.delivery.error, Refused)


async def test_during_a_drain_what_is_rejected_still_becomes_a_dead_letter() -> None:
    pair = Pair(0.5, behind=rig(), queue={"num_consumers": 1})
    pair.exporter.default = BAD

    batches = [batch_of(1), batch_of(2)]
    for batch in batches:
        await pair.stage.consume(batch)
    stopping = asyncio.create_task(pair.stage.drain(3))
    await pair.behind.clock.advance(1)
    await stopping
    await pair.behind.stage.drain(1)

    assert (pair.exporter.arrived, pair.letters.arrived) == ([[1]], [[2]])
    assert outcomes(batches) == [Outcome.DELIVERED, Outcome.DELIVERED]


async def test_when_the_dead_letters_are_full_the_data_fails_with_the_first_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair = Pair(behind=rig(queue={"queue_size": 1, "num_consumers": 1}))
    pair.exporter.default = BAD
    pair.letters.default = 1.0

    batches = [batch_of(1), batch_of(2)]
    for batch in batches:
        await pair.stage.consume(batch)
    await pair.behind.clock.advance(2)

    assert outcomes(batches) == [Outcome.DELIVERED, Outcome.FAILED]
    assert str(batches[1].delivery.error) == "bad span"
    assert pair.counted("rejected") == 1
    assert "Dead letters failed. Dropping data." in [record.message for record in caplog.records]


async def test_when_the_other_backend_rejects_too_the_data_fails_with_the_first_error() -> None:
    pair = Pair(BAD, behind=rig(Rejected("no disk")))

    batch = batch_of(1)
    await pair.stage.consume(batch)
    await settle()

    assert outcomes([batch]) == [Outcome.FAILED]
    assert str(batch.delivery.error) == "bad span"
    assert pair.counted("rejected") == 0


async def test_a_stop_while_the_dead_letters_wait_for_room_leaves_nothing_open() -> None:
    behind = rig(queue={"queue_size": 1, "num_consumers": 1, "block_on_overflow": True})
    pair = Pair(behind=behind)
    pair.exporter.default = BAD
    pair.letters.default = 60.0

    batches = [batch_of(n) for n in range(4)]
    for batch in batches:
        await pair.stage.consume(batch)
    await settle()
    await pair.stage.stop()
    await behind.stage.stop()
    await settle()

    assert outcomes(batches) == [Outcome.FAILED] * 4
    # Whoever still has the data keeps it.
    assert [type(batch.delivery.error) for batch in batches] == [Refused] * 4


async def test_dead_letters_may_be_handed_on() -> None:
    last = rig()
    middle = Pair(behind=last, name="otlp_grpc/second")
    middle.exporter.default = Rejected("not here")
    first = Pair(behind=Rig(middle.stage, middle.exporter, middle.host, last.clock))
    first.exporter.default = BAD
    first.letters.default = Rejected("not here")

    batch = batch_of(1)
    await first.stage.consume(batch)
    await settle()

    assert middle.letters.arrived == [[1]]
    assert outcomes([batch]) == [Outcome.DELIVERED]


async def test_dead_letters_are_sent_as_one_only_where_they_say_the_same() -> None:
    pair = Pair(behind=rig(batch={"min_size": 100, "flush_timeout": 1.0}))
    pair.exporter.default = BAD

    for number, topic in enumerate(["a", "b", "a"]):
        await pair.stage.consume(batch_of(number, metadata={"kafka.topic": topic}))
    await pair.behind.clock.advance(2)

    assert sorted(pair.letters.arrived) == [[0, 2], [1]]
    assert {metadata[PREFIX + "topic"] for metadata in pair.letters.metadata} == {"a", "b"}


async def test_a_dead_letter_that_comes_round_to_where_it_was_made_fails_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair = Pair(behind=rig())
    pair.exporter.default = BAD

    batch = batch_of(1, metadata={PREFIX + "reason": "rejected", PREFIX + "component": "otlp_grpc/main"})
    other = batch_of(2, metadata={PREFIX + "reason": "rejected", PREFIX + "component": "otlp_grpc/other"})
    for each in (batch, other):
        await pair.stage.consume(each)
    await settle()

    assert pair.letters.arrived == [[2]]
    assert outcomes([batch, other]) == [Outcome.FAILED, Outcome.DELIVERED]
    assert "it is a dead letter of this exporter already" in [
        getattr(record, "fields", {}).get("error") for record in caplog.records
    ]


async def test_a_stage_that_breaks_ends_the_data_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(DeliveryStage):
        async def consume(self, batch: Batch) -> None:
            raise ValueError("with payload text")

        async def reserve(self, batch: Batch, rooms: Rooms) -> None:
            """Nothing."""

    made = await started(rig())
    stage = Broken(made.exporter, made.exporter.config, made.host, Signal.TRACES)
    sender = DeliveryStage(made.exporter, made.exporter.config, made.host, Signal.TRACES, stage)
    made.exporter.default = BAD

    batch = batch_of(1)
    with caplog.at_level(logging.DEBUG):
        await sender.consume(batch)
        await settle()

    assert outcomes([batch]) == [Outcome.FAILED]
    assert "payload" not in caplog.text
