"""The keys of a producer: how records are packed, compressed and acknowledged."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey

ALL: Final = -1
LARGEST_BYTES: Final = 100 << 20
"""Records that were read can be written, whatever the limit of other producers is; the broker has the last word."""
_GZIP_LEVELS: Final = range(-2, 10)


def _acks(value: Any) -> Any:
    return ALL if value == "all" else value


class CompressionParams(ConfigModel):
    """How hard to compress."""

    level: int = Field(
        0,
        description="Level of gzip (1 to 9; -2: Huffman codes only) or zstd (1 to 22); 0 and -1: the codec's default.",
    )


class ProducerSettings(ConfigModel):
    """How records are written."""

    max_message_bytes: int = Field(
        1_000_000, ge=1, description="Limit of a record, and of the records sent as one, before compression."
    )
    required_acks: Annotated[Literal[0, 1, -1], BeforeValidator(_acks)] = Field(
        ALL,
        description="Who has a record before it counts as written: -1 or `all`: every replica in sync, written once "
        "only (idempotent); 1: the leader; 0: nobody, nothing is known.",
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field("none", description="Codec of the records.")
    compression_params: CompressionParams = Field(CompressionParams(), description="How hard to compress.")
    flush_max_messages: int = Field(10_000, ge=1, description="Most records that are sent as one.")
    allow_auto_topic_creation: bool = Field(
        True, description="Whether the broker may create topics that it does not have."
    )
    linger: Duration = Field(0.01, ge=0, description="Time a record waits for others of its partition.")
    max_broker_write_bytes: int = Field(
        LARGEST_BYTES, ge=1, description="Upper bound of a request to a broker; not below max_message_bytes."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_broker_write_bytes < self.max_message_bytes:
            raise InvalidKey("max_broker_write_bytes must not be less than max_message_bytes", "max_broker_write_bytes")
        level, codec = self.compression_params.level, self.compression
        if level and not (codec == "zstd" or (codec == "gzip" and level in _GZIP_LEVELS) or codec == "none"):
            raise InvalidKey(
                f'unsupported parameters {{Level:{level}}} for compression type "{codec}"',
                "compression_params",
                "level",
            )
        return self

    @property
    def is_idempotent(self) -> bool:
        """Whether brokers recognise what is sent twice."""
        return self.required_acks == ALL
