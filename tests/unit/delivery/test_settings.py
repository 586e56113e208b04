"""The shared keys of exporters: defaults and errors are the Collector's."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.delivery import Batching, DeliveryConfig, RetryOnFailure, SendingQueue, Sizer


def test_defaults_are_the_collectors() -> None:
    config = DeliveryConfig()
    queue, retry = config.sending_queue, config.retry_on_failure

    assert config.timeout == 5
    assert (queue.enabled, queue.num_consumers, queue.queue_size, queue.sizer) == (True, 10, 1000, Sizer.REQUESTS)
    assert (queue.block_on_overflow, queue.wait_for_result, queue.storage, queue.batch) == (False, False, None, None)
    assert (retry.enabled, retry.initial_interval, retry.max_interval, retry.max_elapsed_time) == (True, 5, 30, 300)
    assert (retry.multiplier, retry.randomization_factor) == (1.5, 0.5)
    batch = Batching()
    assert (batch.flush_timeout, batch.min_size, batch.max_size) == (0.2, 8192, 0)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"num_consumers": 0}, "`num_consumers` must be positive"),
        ({"queue_size": -1}, "`queue_size` must be positive"),
        (
            {"storage": "file_storage", "wait_for_result": True},
            "`wait_for_result` is not supported with a persistent queue configured with `storage`",
        ),
        (
            {"sizer": "items", "queue_size": 5, "batch": {"min_size": 6, "sizer": "items"}},
            "`min_size` must be less than or equal to `queue_size`",
        ),
        ({"batch": {"flush_timeout": 0.0}}, "`flush_timeout` must be positive"),
        ({"batch": {"min_size": -1}}, "`min_size` must be non-negative, found -1"),
        (
            {"batch": {"min_size": 9, "max_size": 8}},
            r"`max_size` \(8\) must be greater or equal to `min_size` \(9\)",
        ),
        ({"batch": {"sizer": "requests"}}, "`batch` supports only `items` or `bytes` sizer"),
        ({"sizer": "requests", "batch": {"min_size": 1}}, "`batch` supports only `items` or `bytes` sizer"),
        ({"batch": {"partition": {"metadata_keys": ["A", "a"]}}}, 'duplicate entry in metadata_keys: "a"'),
    ],
)
def test_a_queue_that_cannot_work_is_refused(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        SendingQueue(**keys)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"max_elapsed_time": 4.0}, "'max_elapsed_time' must not be less than 'initial_interval'"),
        ({"max_elapsed_time": 20.0}, "'max_elapsed_time' must not be less than 'max_interval'"),
        ({"initial_interval": -1.0}, "'initial_interval' must be non-negative"),
        ({"randomization_factor": 2.0}, "less than or equal to 1"),
    ],
)
def test_retries_that_cannot_work_are_refused(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        RetryOnFailure(**keys)


def test_retries_without_an_end_or_turned_off_have_no_limits_to_check() -> None:
    assert RetryOnFailure(max_elapsed_time=0.0).max_elapsed_time == 0
    assert RetryOnFailure(enabled=False, max_elapsed_time=1.0).enabled is False


@pytest.mark.parametrize(
    ("keys", "sizer"),
    [
        ({}, Sizer.ITEMS),
        ({"batch": {}}, Sizer.ITEMS),
        ({"sizer": "bytes", "queue_size": 10_000, "batch": {"min_size": 1}}, Sizer.BYTES),
        ({"sizer": "bytes", "batch": {}}, Sizer.ITEMS),
        ({"sizer": "bytes", "queue_size": 10_000, "batch": {"sizer": "items"}}, Sizer.ITEMS),
    ],
)
def test_a_non_empty_batch_block_inherits_the_queues_sizer(keys: dict[str, Any], sizer: Sizer) -> None:
    assert SendingQueue(**keys).batch_sizer is sizer
