"""Configuration of the `prometheus_remote_write` exporter."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, refused
from pipeline.delivery import DeliveryConfig, RetryOnFailure, SendingQueue
from pipeline.prometheus.settings import Translation
from pipeline.transport.client_http import CompressionParams, HttpClient

_DEFAULT_BATCH_BYTES: Final = 3_000_000
_V1: Final = "prometheus.WriteRequest"


class RemoteWriteQueue(ConfigModel):
    """Where batches wait; the Collector's key. `sending_queue` in its place has more to say."""

    enabled: bool = Field(True, description="Without a queue the sender waits for the backend and gets its errors.")
    queue_size: int = Field(10_000, ge=0, description="Batches that may wait; more are refused.")
    num_consumers: int = Field(
        5, ge=0, description="Requests under way at a time for one batch; max_batch_request_parallelism wins."
    )


class SerialQueue(SendingQueue):
    """A queue whose batches are sent one after the other."""

    num_consumers: int = refused(
        "batches are sent one after the other, so that no sample overtakes an earlier one of its series; "
        "max_batch_request_parallelism says how many requests of a batch are under way",
        accept=(1,),
        default=1,
    )


class QuickRetry(RetryOnFailure):
    """The Collector's, which begins sooner for this exporter, whichever other keys are written."""

    initial_interval: Duration = Field(0.05, description="Wait before the second attempt.")


class NoLevels(CompressionParams):
    """Snappy is as it is."""

    level: int = refused("snappy has no levels; remove the key", accept=(0,), default=0)


class TargetInfo(ConfigModel):
    """The series `target_info`, which carries what a resource says of itself."""

    enabled: bool = Field(True, description="Whether it is written.")


class RemoteWriteConfig(Translation, HttpClient, DeliveryConfig):
    """Settings of the exporter `prometheus_remote_write`."""

    endpoint: str = Field(description="URL that is written to, for example http://localhost:9090/api/v1/write.")
    external_labels: dict[str, str] = Field(
        {}, description="Labels of every series; what a series has of its own under the same name stays."
    )
    send_metadata: bool = Field(False, description="Write types, help texts and units of metrics, too.")
    target_info: TargetInfo = Field(TargetInfo(), description="The series with the attributes of resources.")
    max_batch_size_bytes: int = Field(
        _DEFAULT_BATCH_BYTES, description="Largest request before it is compressed; 0: the default."
    )
    max_batch_request_parallelism: int | None = Field(
        None, description="Requests under way at a time for one batch; a series is in one of them."
    )
    remote_write_queue: RemoteWriteQueue = Field(RemoteWriteQueue(), description="Where batches wait.")
    sending_queue: SerialQueue = Field(
        SerialQueue(), description="Where batches wait, in place of remote_write_queue: on disk, or put together."
    )
    retry_on_failure: QuickRetry = Field(
        QuickRetry(), description="How requests are sent again that the backend may take later."
    )
    compression: Literal["snappy", ""] = Field("", description="Always snappy's block format.")
    compression_params: NoLevels = Field(NoLevels(), description="Nothing to choose.")
    protobuf_message: str = refused(
        "remote write 1.0 is what is written, which every receiver takes; remove the key", accept=(_V1,), default=_V1
    )
    wal: Any = refused("sending_queue with storage is the durable queue; remove the key")

    @model_validator(mode="after")
    def _check_remote_write(self) -> Self:
        if self.max_batch_request_parallelism is not None and self.max_batch_request_parallelism < 1:
            raise InvalidKey("can't be set to below 1", "max_batch_request_parallelism")
        if self.max_batch_size_bytes < 0:
            raise InvalidKey("must not be negative", "max_batch_size_bytes")
        queue = self.remote_write_queue
        if queue.enabled and not queue.queue_size:
            raise InvalidKey("a 0 size queue will drop all the data", "remote_write_queue", "queue_size")
        if {"sending_queue", "remote_write_queue"} <= self.model_fields_set:
            raise InvalidKey("takes the place of remote_write_queue: write one of the two", "sending_queue")
        for key, value in self.external_labels.items():
            if not key or not value:
                raise InvalidKey("external labels configuration contains an empty key or value", "external_labels")
        return self

    def unprinted_keys(self) -> frozenset[str]:
        """The queue that is not in use."""
        return frozenset({"remote_write_queue" if "sending_queue" in self.model_fields_set else "sending_queue"})

    @property
    def delivery_queue(self) -> SendingQueue:
        """The queue that is in use."""
        if "sending_queue" in self.model_fields_set:
            return self.sending_queue
        return SerialQueue(enabled=self.remote_write_queue.enabled, queue_size=self.remote_write_queue.queue_size or 1)

    @property
    def parallelism(self) -> int:
        """Requests under way at a time for one batch."""
        return max(1, self.max_batch_request_parallelism or self.remote_write_queue.num_consumers)

    @property
    def request_bytes(self) -> int:
        """Largest request before it is compressed."""
        return self.max_batch_size_bytes or _DEFAULT_BATCH_BYTES
