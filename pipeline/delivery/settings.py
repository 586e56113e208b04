"""The keys that every exporter which sends shares: `timeout`, `sending_queue`, `retry_on_failure`.

Source: Collector v0.145, exporter/exporterhelper and config/configretry.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, ExporterRef, ExtensionRef, InvalidKey
from pipeline.signals import Batch

_NO_REQUESTS: Final = "`batch` supports only `items` or `bytes` sizer"


class Sizer(StrEnum):
    """What sizes are counted in."""

    REQUESTS = "requests"
    ITEMS = "items"
    BYTES = "bytes"

    def measure(self, batch: Batch) -> int:
        """Size of a batch: 1, its spans, log records or data points, or its serialised bytes."""
        return self.units(1, batch.count, len(batch.serialize()) if self is Sizer.BYTES else 0)

    def units(self, requests: int, items: int, size_bytes: int) -> int:
        """Which of the three this one counts."""
        if self is Sizer.REQUESTS:
            return requests
        return items if self is Sizer.ITEMS else size_bytes


class Partition(ConfigModel):
    """What is kept apart while requests are put together."""

    metadata_keys: tuple[str, ...] = Field(
        (), description="Keys of the client metadata; requests that differ in one of them never share a batch."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        seen: set[str] = set()
        for index, key in enumerate(self.metadata_keys):
            if key.lower() in seen:
                raise InvalidKey(
                    f'duplicate entry in metadata_keys: "{key.lower()}" (case-insensitive)', "metadata_keys", index
                )
            seen.add(key.lower())
        return self


class Batching(ConfigModel):
    """Puts requests together before they are sent."""

    enabled: bool = Field(True, description="Whether requests are put together.")
    flush_timeout: Duration = Field(0.2, description="A batch is sent after this time whatever its size.")
    min_size: int = Field(8192, description="A batch of this size is sent at once.")
    max_size: int = Field(0, description="A larger batch is cut; 0: no limit.")
    sizer: Sizer | None = Field(
        None,
        description="What the sizes are counted in: items or bytes; the queue's sizer where it is given, or items.",
    )
    partition: Partition = Field(Partition(), description="What is kept apart.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sizer is Sizer.REQUESTS:
            raise InvalidKey(_NO_REQUESTS, "sizer")
        if self.flush_timeout <= 0:
            raise InvalidKey("`flush_timeout` must be positive", "flush_timeout")
        for key, value in (("min_size", self.min_size), ("max_size", self.max_size)):
            if value < 0:
                raise InvalidKey(f"`{key}` must be non-negative, found {value}", key)
        if 0 < self.max_size < self.min_size:
            raise InvalidKey(
                f"`max_size` ({self.max_size}) must be greater or equal to `min_size` ({self.min_size})", "max_size"
            )
        return self


class SendingQueue(ConfigModel):
    """Where requests wait for the backend."""

    enabled: bool = Field(True, description="Without a queue the sender waits for the backend and gets its errors.")
    num_consumers: int = Field(10, description="Requests under way at a time.")
    queue_size: int = Field(1000, description="Room in units of `sizer`; what is under way counts until it is done.")
    sizer: Sizer = Field(Sizer.REQUESTS, description="What `queue_size` is counted in: requests, items or bytes.")
    block_on_overflow: bool = Field(
        False, description="Whether the sender waits for room instead of being refused when the queue is full."
    )
    wait_for_result: bool = Field(False, description="Whether the sender waits for the backend's answer.")
    storage: ExtensionRef | None = Field(
        None,
        description="Id of a storage extension that keeps the queue on disk: what was admitted outlives the process. "
        "Without max_elapsed_time in the file, retries then never end.",
    )
    batch: Batching | None = Field(None, description="Put requests together before they are sent; off unless given.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, value in (("num_consumers", self.num_consumers), ("queue_size", self.queue_size)):
            if value <= 0:
                raise InvalidKey(f"`{key}` must be positive", key)
        if self.storage is not None and self.wait_for_result:
            raise InvalidKey(
                "`wait_for_result` is not supported with a persistent queue configured with `storage`",
                "wait_for_result",
            )
        batch = self.batch
        if batch is None or not batch.enabled:
            return self
        if self.batch_sizer is Sizer.REQUESTS:
            raise InvalidKey(_NO_REQUESTS, "batch")
        if self.batch_sizer is self.sizer and batch.min_size > self.queue_size:
            raise InvalidKey("`min_size` must be less than or equal to `queue_size`", "batch", "min_size")
        return self

    def unprinted_keys(self) -> frozenset[str]:
        """The sizer where it is not written: a `batch` block would inherit one that is."""
        return frozenset({"sizer"} if self.batch is not None and "sizer" not in self.model_fields_set else ())

    @property
    def batch_sizer(self) -> Sizer:
        """What the sizes of batches are counted in: a non-empty `batch` block inherits the queue's `sizer` if given."""
        batch = self.batch
        if batch is not None and batch.sizer is not None:
            return batch.sizer
        inherits = "sizer" in self.model_fields_set and batch is not None and batch.model_fields_set
        return self.sizer if inherits else Sizer.ITEMS


class RetryOnFailure(ConfigModel):
    """How requests are sent again that the backend may take later."""

    enabled: bool = Field(True, description="Whether requests are sent again.")
    initial_interval: Duration = Field(5.0, description="Wait before the second attempt.")
    randomization_factor: float = Field(0.5, ge=0, le=1, description="Each wait is spread by this part of it.")
    multiplier: float = Field(1.5, ge=0, description="Growth of the wait from attempt to attempt.")
    max_interval: Duration = Field(30.0, description="Longest wait, unless the backend asks for a longer one.")
    max_elapsed_time: Duration = Field(300.0, description="Give up after this time; 0: never.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("initial_interval", "max_interval", "max_elapsed_time"):
            if getattr(self, key) < 0:
                raise InvalidKey(f"'{key}' must be non-negative", key)
        if self.enabled and self.max_elapsed_time:
            for key in ("initial_interval", "max_interval"):
                if self.max_elapsed_time < getattr(self, key):
                    raise InvalidKey(f"'max_elapsed_time' must not be less than '{key}'", "max_elapsed_time")
        return self


class DeliveryConfig(ConfigModel):
    """Base of the `Config` of exporters that send to a backend."""

    timeout: Duration = Field(5.0, ge=0, description="Limit of one attempt; 0: none.")
    sending_queue: SendingQueue = Field(SendingQueue(), description="Where requests wait for the backend.")
    retry_on_failure: RetryOnFailure = Field(
        RetryOnFailure(), description="How requests are sent again that the backend may take later."
    )
    dead_letter: ExporterRef | None = Field(
        None,
        description="Exporter that takes what the backend rejects for good, and what the queue gives up; off. Its id "
        "need not stand in a pipeline. Dead letters are data as it was behind this exporter's processors.",
    )

    @property
    def delivery_queue(self) -> SendingQueue:
        """The queue, for exporters that have more than one way to write it."""
        return self.sending_queue


def delivery_of(config: ConfigModel) -> tuple[float | None, SendingQueue | None, RetryOnFailure | None]:
    """Timeout in seconds, queue and retry of an exporter's configuration; None for what is off or has no key."""
    timeout_s: float | None = getattr(config, "timeout", None) or None
    queue: SendingQueue | None = getattr(config, "sending_queue", None)
    if isinstance(config, DeliveryConfig):
        queue = config.delivery_queue
    retry: RetryOnFailure | None = getattr(config, "retry_on_failure", None)
    queue = queue if queue and queue.enabled else None
    retry = retry if retry and retry.enabled else None
    if queue and queue.storage and retry and "max_elapsed_time" not in retry.model_fields_set:
        # What is on disk was acknowledged: only who asks for it in writing gives it up.
        retry = retry.model_copy(update={"max_elapsed_time": 0.0})
    return timeout_s, queue, retry
