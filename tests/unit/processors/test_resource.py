"""The processor `resource`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.testing import configured, logs, metrics, traces
from processors.resource import ResourceProcessor

UPSERT = {"action": "upsert", "key": "service.name", "value": "till"}


def test_changes_resources_of_every_signal() -> None:
    processor: ResourceProcessor = configured(ResourceProcessor, attributes=[UPSERT])
    for batch in (traces({"a": 1}), logs("x"), metrics({"m": [1]})):
        assert processor.process(batch) is batch
        assert batch.resources()[0].attributes == {"service.name": "till"}


def test_each_resource_is_changed_once_though_the_batch_comes_in_slices() -> None:
    hash_name = {"action": "hash", "key": "service.name"}
    processor: ResourceProcessor = configured(ResourceProcessor, attributes=[hash_name])
    whole, sliced = traces({}, {}), traces({}, {})
    processor.process(whole)
    for window in sliced.slices(lambda: 1):
        processor.process(window)
    assert whole.serialize() == sliced.serialize()


def test_attributes_are_required() -> None:
    with pytest.raises(ValidationError, match="attributes"):
        ResourceProcessor.Config(attributes=())
