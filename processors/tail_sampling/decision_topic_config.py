"""Keys of the topic that decisions are written to."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from pipeline.kafka.settings import KafkaClient
from pipeline.kafka.topic_names import WRONG_NAME, is_topic_name


class DecisionTopicConfig(KafkaClient):
    """The topic that workers tell each other their decisions in."""

    is_repetition: ClassVar[bool] = True

    topic: str = Field(min_length=1, description="Topic with all decisions; keep it for as long as spans may be late.")

    @field_validator("topic")
    @classmethod
    def _check_topic(cls, name: str) -> str:
        if not is_topic_name(name):
            raise ValueError(WRONG_NAME)
        return name
