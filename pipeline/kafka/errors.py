"""What goes wrong with a Kafka cluster, as Penstock's errors: come back, or never."""

from __future__ import annotations

import ssl
from typing import Final

from pipeline.errors import Code, Refused, Rejected

_CLOSED: Final = "the broker closes the connection; does it want TLS, a certificate or a login at this port, or none?"
# Names instead of classes: aiokafka is imported by those who use Kafka only. More special classes stand in an error's
# method resolution order before more general ones.
_REFUSED: Final = {
    "SaslAuthenticationFailed": "the broker does not accept our login; look at auth::sasl",
    "AuthenticationFailedError": "the broker does not accept our login; look at auth::sasl",
    "UnsupportedSaslMechanismError": "the broker does not offer this mechanism; look at auth::sasl::mechanism",
    "IllegalSaslStateError": "the broker wants no login at this port; look at brokers and auth",
    "TopicAuthorizationFailedError": "we are not allowed to use the topic; grant our user access to it",
    "GroupAuthorizationFailedError": "we are not allowed to use the consumer group; grant our user access to it",
    "ClusterAuthorizationFailedError": "we are not allowed to write idempotently; grant our user IdempotentWrite",
    "TransactionalIdAuthorizationFailed": "we are not allowed to use the transactional id",
    "UnknownTopicOrPartitionError": "the topic does not exist; create it, or let the broker create topics",
    "LeaderNotAvailableError": "a partition has no leader at the moment",
    "NotLeaderForPartitionError": "a partition has no leader at the moment",
    "NotEnoughReplicasError": "too few replicas are in sync; look at the cluster and min.insync.replicas",
    "NotEnoughReplicasAfterAppendError": "too few replicas are in sync; look at the cluster and min.insync.replicas",
    "KafkaStorageError": "the broker cannot write to its disk",
    "GroupCoordinatorNotAvailableError": "the coordinator is not available at the moment",
    "GroupLoadInProgressError": "the coordinator is not available at the moment",
    "NotCoordinatorForGroupError": "the coordinator is not available at the moment",
    "InconsistentGroupProtocolError": "the group shares its partitions out in another way; set the same "
    "group_rebalance_strategy for all its members",
    "InvalidSessionTimeoutError": "the broker does not allow this session_timeout (group.min.session.timeout.ms)",
    "CorruptRecordException": "records were damaged on their way",
    "UnsupportedVersionError": "the broker is too old for this request",
    "IncompatibleBrokerVersion": "the broker is too old for this request",
    "UnrecognizedBrokerVersion": "the broker is too old for this request",
    "RequestTimedOutError": "no broker has answered in time",
    "KafkaTimeoutError": "no broker has answered in time",
    "TimeoutError": "no broker has answered in time",
    "SSLError": "TLS does not come about; does the broker speak TLS at this port, and does it take our certificate?",
    "ConnectionRefusedError": "nothing listens at the broker's address; is the broker up, and is its port right?",
    "ConnectionResetError": _CLOSED,
    "OSError": "no broker can be reached; look at brokers and the network",
    "KafkaConnectionError": _CLOSED,
    "NoBrokersAvailable": "no broker can be reached; look at brokers and the network",
    "NodeNotReadyError": "a broker cannot be reached; look at its advertised address, and at tls and auth",
    "ProducerClosed": "the producer is closed",
    "ProducerFenced": "the producer has to be renewed",
    "OutOfOrderSequenceNumber": "the producer has to be renewed",
    "UnknownProducerId": "the producer has to be renewed",
    "InvalidProducerEpoch": "the producer has to be renewed",
}
_REJECTED: Final = {
    "InvalidTopicError": "the name of the topic is not allowed",
    "InvalidTimestampError": "the broker does not accept the record's time",
    "PolicyViolationError": "a policy of the broker forbids the record",
    "UnsupportedForMessageFormatError": "the topic's message format is too old; change message.format.version",
}
_TOO_LARGE: Final = {
    "MessageSizeTooLargeError": "the record is larger than producer::max_message_bytes, or than the broker takes",
    "RecordTooLargeError": "the record is larger than max_partition_fetch_size",
    "RecordListTooLargeError": "the records are larger than a segment of the broker",
}


def delivery_error(error: BaseException, *, topic: str = "") -> Refused | Rejected:
    """The error of Penstock for one of aiokafka, asyncio or the operating system.

    Everything a person or time can mend is Refused, missing permissions among it: nothing is lost. Records that no
    broker will ever take are Rejected, those that are too large `divisible`. Texts hold the topic, never a payload.
    """
    if isinstance(error, Refused | Rejected):
        return error
    place = f'kafka: topic "{topic}": ' if topic else "kafka: "
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(f"{place}the broker's certificate does not verify ({error.verify_message}); look at tls")
    for cls in type(error).__mro__:
        name = cls.__name__
        if name in _TOO_LARGE:
            return Rejected(place + _TOO_LARGE[name], code=Code.RESOURCE_EXHAUSTED, divisible=True)
        if name in _REJECTED:
            return Rejected(place + _REJECTED[name], code=Code.INVALID_ARGUMENT)
        if name in _REFUSED:
            return Refused(place + _REFUSED[name])
    if type(error).__name__ == "KafkaError":
        # So plain where no broker has told the client of the cluster.
        return Refused(f"{place}the brokers do not answer at the moment")
    return Refused(f"{place}the client library has failed with {type(error).__name__}")
