"""Models in words."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from pipeline.config import (
    ANY_CASE,
    ComponentId,
    ConfigModel,
    Duration,
    ExtensionRef,
    Pattern,
    PipelineRef,
    Secret,
    refused,
)  # fmt: skip
from pipeline.config.describe import Key, description_at, descriptions, keys, summary, type_name
from tests.unit.config.fakes import OtlpReceiver, ReceiverConfig


class Color(Enum):
    RED = "red"


class Inner(ConfigModel):
    """A block."""

    depth: int = Field(description="How deep.")


class Outer(ConfigModel):
    """All kinds of fields."""

    required: str
    """With a
    docstring."""
    both: bool = Field(default=True, description="The description wins.")
    """Not this."""
    wait: Duration = 300.0
    block: Inner | None = None
    blocks: list[Inner] = Field([])
    named: dict[str, Inner] = Field({})
    secret: Secret = Secret("x")
    optional: int | None = None
    text: str = " "
    words: tuple[str, ...] = ("a", "b")
    gone: Any = refused("the reason")


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (bool, "true or false"),
        (int | None, "whole number"),
        (list[str], "list of text"),
        (dict[str, float], "map of number"),
        (Duration, "duration"),
        (list[Duration], "list of duration"),
        (Secret, "text, secret"),
        (Pattern, "RE2 pattern"),
        (ComponentId, "component id"),
        (ExtensionRef | None, "id of an extension"),
        (PipelineRef, "id of a pipeline"),
        (Literal["a", ""], 'one of `a`, `""`'),
        (Annotated[Literal["a", "b"], ANY_CASE], "one of `a`, `b`"),
        (Color, "one of `red`"),
        (Inner, "block"),
        (Duration | Literal["never"], "duration or one of `never`"),
        (Any, "any"),
        (list, "list"),
        (dict, "map"),
    ],
)
def test_type_name(annotation: Any, name: str) -> None:
    assert type_name(annotation) == name


def test_descriptions_come_from_fields_and_docstrings() -> None:
    assert descriptions(Outer)["required"] == "With a docstring."
    assert descriptions(Outer)["both"] == "The description wins."


def test_docstrings_are_inherited() -> None:
    class Sub(Outer):
        more: int = 0

    assert descriptions(Sub)["required"] == "With a docstring."


def test_keys() -> None:
    listed = {key.path: key for key in keys(Outer)}
    assert list(listed) == [
        "required", "both", "wait", "block", "block.depth", "blocks", "blocks[].depth", "named", "named.*.depth",
        "secret", "optional", "text", "words", "gone",
    ]  # fmt: skip
    assert listed["required"] == Key("required", "text", "", "With a docstring.", refused=False)
    assert listed["block.depth"] == Key("block.depth", "whole number", "", "How deep.", refused=False)
    defaults = {path: key.default for path, key in listed.items()}
    assert defaults["wait"] == "5m0s"
    assert defaults["block"] == "off"
    assert defaults["optional"] == "not set"
    assert defaults["secret"] == '""'
    assert defaults["text"] == '" "'
    assert defaults["words"] == "[a, b]"
    assert (listed["gone"].refused, listed["gone"].description) == (True, "the reason")


class Tree(ConfigModel):
    children: list[Tree] = Field([])


def test_models_that_hold_themselves_end() -> None:
    assert [key.path for key in keys(Tree)] == ["children", "children[].children"]


class Again(Inner):
    is_repetition = True


class Twice(ConfigModel):
    once: Inner
    again: list[Again]


def test_keys_of_repetitions_are_left_out() -> None:
    paths = [key.path for key in keys(Twice)]
    assert [path for path in paths if path.startswith("again")] == ["again"]
    assert [path for path in paths if path.startswith("once.")]


def test_description_at() -> None:
    assert description_at(Outer, ("blocks", 3, "depth")) == "How deep."
    assert description_at(Outer, ("named", "x", "depth")) == "How deep."
    assert description_at(ReceiverConfig, ("protocols", "grpc", "endpoint")) == "Address to listen on."
    assert description_at(Outer, ("nothing",)) == ""


def test_summary_is_the_first_sentence() -> None:
    assert summary(OtlpReceiver) == "Takes data in."
    assert summary(type("Bare", (), {})) == ""
