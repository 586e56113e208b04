"""The base of all models."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import ConfigModel, refused
from pipeline.config.model import refusal_of


class Sample(ConfigModel):
    size: int = 1
    gone: Any = refused("it cannot be", accept=(False,), default=False)
    switched: Any = refused("it cannot be on", while_off=True)


def test_unknown_keys_are_errors_and_instances_do_not_change() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Sample.model_validate({"sise": 2})
    sample = Sample(size=2)
    with pytest.raises(ValidationError, match="frozen"):
        sample.size = 3  # type: ignore[misc]  # what the test is about


@pytest.mark.parametrize("value", [True, 1.5, "x", [], {"a": 1}])
def test_a_refused_key_is_an_error(value: object) -> None:
    with pytest.raises(ValidationError, match="not supported: it cannot be"):
        Sample.model_validate({"gone": value})


def test_accepted_values_of_a_refused_key() -> None:
    assert Sample(gone=False).gone is False
    assert Sample().gone is False
    assert refusal_of(Sample, "gone") == "it cannot be"
    assert refusal_of(Sample, "size") is None


@pytest.mark.parametrize("block", [{}, {"enabled": False}, {"a": [1]}, {"sql": {"enabled": False, "a": [1]}, "b": {}}])
def test_a_block_may_be_there_while_it_is_off(block: dict[str, Any]) -> None:
    assert Sample.model_validate({"switched": block}).switched == block


@pytest.mark.parametrize("block", [{"enabled": True}, {"sql": {"enabled": True}}, {"enabled": "no"}, [], "x"])
def test_a_block_that_is_on_is_refused(block: object) -> None:
    with pytest.raises(ValidationError, match="not supported: it cannot be on"):
        Sample.model_validate({"switched": block})
