"""What is used of aiokafka that it does not promise: a release that changes it is noticed here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ProducerClosed
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.structs import OffsetAndMetadata

from pipeline.kafka.producer.record_batch import OutRecord, ReadyBatch, encode_records
from pipeline.receivers.kafka.client import is_member


def batch_of(value: bytes) -> ReadyBatch:
    return ReadyBatch(encode_records([OutRecord("spans", value)]), "none", 1, 1_700_000_000_000)


class Coordinator(GroupCoordinator):  # type: ignore[misc]  # the library has no types
    """Takes note of what would be sent."""

    def __init__(self, assignors: tuple[type[Any], ...]) -> None:
        super().__init__(AIOKafkaClient(), SubscriptionState(), group_id="g", assignors=assignors)
        self.sent: list[Any] = []

    async def _send_req(self, request: Any) -> Any:
        self.sent.append(request)

        class Response:
            topics = (("spans", ((3, 0),)),)

        return Response


async def test_the_coordinator_of_a_consumer() -> None:
    consumer = AIOKafkaConsumer(group_id="g")
    assert consumer._coordinator is None
    assert not is_member(consumer)
    consumer._coordinator = coordinator = Coordinator((StickyPartitionAssignor,))
    assert not is_member(consumer)
    assert (coordinator.coordinator_id, coordinator.member_id) == (None, "")
    assert coordinator._assignors == (StickyPartitionAssignor,)
    coordinator.generation = 7
    assert is_member(consumer)
    coordinator.coordinator_id = 1
    await coordinator.commit_offsets(None, {TopicPartition("spans", 3): OffsetAndMetadata(5, "")})
    fields = vars(coordinator.sent[0]).values()
    assert {"g", 7} < {each for each in fields if isinstance(each, str | int)}
    assert [("spans", [(3, 5, "")])] in fields
    coordinator.check_errors()
    assert isinstance(Fetcher.error_future, property)
    coordinator.reset_generation()
    assert not is_member(consumer)
    coordinator.coordinator_id = None
    await coordinator.close()
    assert inspect.iscoroutinefunction(consumer._client.close)
    await consumer.stop()


def test_sticky_members_say_in_which_generation_they_got_what_they_have() -> None:
    """The library leaves it to us to tell them."""
    assert StickyPartitionAssignor.generation == -1
    assert list(inspect.signature(StickyPartitionAssignor.on_generation_assignment).parameters) == ["generation"]


async def test_what_ends_a_producer_without_its_brokers() -> None:
    producer = AIOKafkaProducer()
    assert producer._sender.sender_task is None
    assert producer.client._md_update_fut is None
    assert inspect.iscoroutinefunction(producer.client.close)
    accumulator = producer._message_accumulator
    answer = await accumulator.add_batch(batch_of(b"v"), TopicPartition("spans", 0), 1.0)
    ((waiting,),) = accumulator._batches.values()
    assert not waiting._drain_waiter.done()
    accumulator.fail_all(ProducerClosed())
    assert isinstance(waiting._drain_waiter.exception(), ProducerClosed)
    with pytest.raises(ProducerClosed):
        await answer
    await producer.stop()


async def test_a_batch_of_ours_in_place_of_the_librarys_builder() -> None:
    ready = batch_of(b"v")
    batch = MessageBatch(TopicPartition("spans", 0), ready, 1.0, 0.0)
    assert batch.append(None, b"more", None) is None, "it is full"
    batch.set_producer_state(77, 3, 1000)
    assert bytes(batch.get_data_buffer()) == ready._build()
    assert batch.record_count == 1
    batch.failure(ProducerClosed())
    for future in (batch.future, batch._drain_waiter):
        assert isinstance(future.exception(), ProducerClosed)
