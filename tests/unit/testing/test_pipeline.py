"""Processors run from the YAML a user would write."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from pipeline.testing import run_processors, traces


async def test_processors_run_in_the_order_of_the_snippet() -> None:
    snippet = """
    attributes: {actions: [{key: a, value: 2, action: upsert}]}
    batch: {timeout: 1s}
    """
    async with run_processors(snippet) as pipeline:
        await pipeline.send(traces({"a": 1}))
        await pipeline.clock.advance(0.9)
        assert pipeline.sink.count == 0
        await pipeline.clock.advance(0.2)
        assert [record.attributes["a"] for record in pipeline.sink.records()] == [2]


async def test_a_mistake_is_an_error_as_in_a_file() -> None:
    with pytest.raises(ConfigError, match='did you mean "timeout"'):
        async with run_processors("batch: {timeuot: 1s}"):
            pass
