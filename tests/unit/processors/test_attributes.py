"""The processor `attributes`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.errors import StartError
from pipeline.signals import Context
from pipeline.testing import configured, logs, make_host, metrics, traces
from processors.attributes import AttributesProcessor

INSERT = {"action": "insert", "key": "new", "value": 1}


def test_changes_records_of_every_signal() -> None:
    processor: AttributesProcessor = configured(AttributesProcessor, actions=[INSERT])
    for batch in (traces({"a": 1}, {"b": 2}), logs("x", "y"), metrics({"m": [1, 2]})):
        assert processor.process(batch) is batch
        assert [record.attributes["new"] for record in batch.records()] == [1, 1]


def test_only_matching_records_are_changed_and_others_keep_their_bytes() -> None:
    include = {"match_type": "strict", "attributes": [{"key": "a", "value": 1}]}
    processor: AttributesProcessor = configured(AttributesProcessor, actions=[INSERT], include=include)
    batch = traces({"a": 1}, {"a": 2})
    processor.process(batch)
    assert [record.attributes.get("new") for record in batch.records()] == [1, None]
    untouched = traces({"a": 2})
    before = untouched.serialize()
    processor.process(untouched)
    assert untouched.serialize() is before


def test_request_context_is_seen() -> None:
    action = {"action": "upsert", "key": "tenant", "from_context": "metadata.tenant"}
    processor: AttributesProcessor = configured(AttributesProcessor, actions=[action])
    batch = traces({}, context=Context(metadata={"tenant": ("acme",)}))
    processor.process(batch)
    assert batch.records()[0].attributes["tenant"] == "acme"


@pytest.mark.parametrize(
    ("pipeline", "criteria", "names"),
    [
        ("traces", {"log_bodies": ["x"]}, "log_bodies"),
        ("logs/in", {"span_names": ["x"]}, "span_names"),
        ("metrics", {"attributes": [{"key": "x"}]}, "attributes"),
    ],
)
def test_criteria_that_the_pipeline_cannot_have_are_start_errors(
    pipeline: str, criteria: dict[str, Any], names: str
) -> None:
    host = make_host("attributes/x")
    host.pipeline = pipeline
    with pytest.raises(StartError, match=f"exclude: {names} should not be specified for {pipeline.partition('/')[0]}"):
        configured(AttributesProcessor, host, actions=[INSERT], exclude={"match_type": "strict", **criteria})


def test_actions_are_required() -> None:
    with pytest.raises(ValidationError, match="actions"):
        AttributesProcessor.Config(actions=())
