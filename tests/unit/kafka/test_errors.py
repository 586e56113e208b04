"""What Kafka's errors mean: come back, never, or cut it up."""

from __future__ import annotations

import ssl

import pytest
from aiokafka import errors

from pipeline.errors import Refused, Rejected
from pipeline.kafka.errors import delivery_error

MENDABLE = [
    errors.KafkaConnectionError("x"),
    errors.NodeNotReadyError("x"),
    errors.RequestTimedOutError(),
    errors.KafkaTimeoutError(),
    errors.LeaderNotAvailableError(),
    errors.NotLeaderForPartitionError(),
    errors.NotEnoughReplicasError(),
    errors.NotEnoughReplicasAfterAppendError(),
    errors.UnknownTopicOrPartitionError(),
    errors.GroupCoordinatorNotAvailableError(),
    errors.NotCoordinatorForGroupError(),
    errors.SaslAuthenticationFailed("secret words of the broker"),
    errors.UnsupportedSaslMechanismError(),
    errors.TopicAuthorizationFailedError("t"),
    errors.ClusterAuthorizationFailedError(),
    errors.GroupAuthorizationFailedError(),
    errors.KafkaStorageError(),
    errors.OutOfOrderSequenceNumber(),
    errors.UnknownProducerId(),
    errors.UnknownError(),
    errors.ProducerClosed(),
    TimeoutError(),
    ConnectionRefusedError(111, "refused"),
    OSError("x"),
    ssl.SSLError("x"),
    RuntimeError("a library's bug"),
]


@pytest.mark.parametrize("error", MENDABLE, ids=lambda error: type(error).__name__)
def test_what_time_or_a_person_can_mend(error: BaseException) -> None:
    assert type(delivery_error(error)) is Refused


def test_brokers_that_nobody_can_ask_do_not_answer() -> None:
    assert (
        str(delivery_error(errors.KafkaError("no cluster metadata")))
        == "kafka: the brokers do not answer at the moment"
    )


def test_every_error_that_the_library_calls_retriable_is_refused() -> None:
    retriable = [cls for cls in vars(errors).values() if isinstance(cls, type) and getattr(cls, "retriable", False)]
    assert len(retriable) > 15
    assert {type(delivery_error(cls())) for cls in retriable} == {Refused}


@pytest.mark.parametrize(
    ("error", "divisible"),
    [
        (errors.MessageSizeTooLargeError(), True),
        (errors.RecordListTooLargeError(), True),
        (errors.InvalidTopicError(), False),
        (errors.InvalidTimestampError(), False),
        (errors.PolicyViolationError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_broker_will_ever_take(error: BaseException, divisible: bool) -> None:
    found = delivery_error(error)
    assert isinstance(found, Rejected)
    assert found.divisible is divisible


def test_texts_name_the_topic_and_say_what_to_do() -> None:
    found = delivery_error(errors.TopicAuthorizationFailedError("spans"), topic="spans")
    assert str(found) == 'kafka: topic "spans": we are not allowed to use the topic; grant our user access to it'


def test_texts_hold_nothing_of_the_librarys() -> None:
    said = "a record's text"
    for error in (errors.MessageSizeTooLargeError(said), errors.UnknownError(said), RuntimeError(said), OSError(said)):
        assert said not in str(delivery_error(error))


def test_a_certificate_says_what_is_wrong_with_it() -> None:
    error = ssl.SSLCertVerificationError("x")
    error.verify_message = "certificate has expired"
    assert "does not verify (certificate has expired); look at tls" in str(delivery_error(error))


def test_ours_stay_as_they_are() -> None:
    for error in (Refused("x"), Rejected("y")):
        assert delivery_error(error) is error
