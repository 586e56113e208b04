"""The `kafka` receiver: one consumer of a group for every signal, on a thread of its own."""

from pipeline.receivers.kafka.receiver import KafkaReceiver

__all__ = ["KafkaReceiver"]
