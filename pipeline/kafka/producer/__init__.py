"""Writes records to Kafka."""

from pipeline.kafka.producer.lanes import Submission
from pipeline.kafka.producer.producer import Producer, too_large
from pipeline.kafka.producer.record_batch import OutRecord
from pipeline.kafka.producer.settings import ProducerSettings

__all__ = ["OutRecord", "Producer", "ProducerSettings", "Submission", "too_large"]
