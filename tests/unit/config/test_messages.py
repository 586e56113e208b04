"""Pydantic's findings in our words."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from pipeline.config import InvalidKey
from pipeline.config.compose import compose
from pipeline.config.messages import describe, translate
from pipeline.config.tree import Path, Position, Scalar, plain

PLACE = Position("f", 1, 1)


class Inner(BaseModel):
    small: int = Field(0, lt=5)
    needed: str


class Outer(BaseModel):
    inner: list[Inner | int] = Field([])
    total: int = 0
    names: tuple[str, ...] = Field(("a",), min_length=1)

    @model_validator(mode="after")
    def _no_thirteen(self) -> Outer:
        if self.total == 13:
            raise ValueError("no thirteen")
        if self.total == 14:
            raise InvalidKey("look at the list", "inner", 0)
        return self


def problems(text: str, reported: frozenset[Path] = frozenset()) -> list[str]:
    node = compose(text, "f")
    assert node is not None
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(plain(node))
    return [str(problem) for problem in translate(caught.value, node, ("x",), PLACE, reported)]


def test_constraints_point_at_the_value() -> None:
    found = problems("inner:\n- {small: 7, needed: a}\n")
    assert "f:2:11: x::inner::0::small: must be less than 5" in found


def test_lists_that_are_too_short() -> None:
    assert problems("names: []\n") == ["f:1:1: x::names: expected at least 1 of them, got 0"]


def test_missing_keys_point_at_the_block() -> None:
    assert 'f:2:3: x::inner::0: "needed" is required' in problems("inner:\n- {small: 1}\n")


def test_validators_of_the_block() -> None:
    assert problems("total: 13\n") == ["f:1:1: x: no thirteen"]
    assert problems("total: 14\ninner: [5]\n") == ["f:2:9: x::inner::0: look at the list"]


def test_what_is_reported_already_is_not_repeated() -> None:
    assert problems("inner: 5\ntotal: b\n", frozenset([("x", "inner")])) == [
        "f:2:8: x::total: must be a valid integer, unable to parse string as an integer"
    ]
    assert problems("total: 13\n", frozenset([("x",)])) == []


@pytest.mark.parametrize(
    ("scalar", "words"),
    [
        (Scalar("a", PLACE), 'text "a"'),
        (Scalar("a" * 41, PLACE), "text"),
        (Scalar("hunter2", PLACE, "hunter2"), "text"),
        (Scalar(5, PLACE), "the number 5"),
        (Scalar(5, PLACE, "05"), "a number"),
        (Scalar(value=True, position=PLACE), "true"),
        (Scalar(value=True, position=PLACE, text="true"), "true or false"),
        (Scalar(None, PLACE), "nothing"),
    ],
)
def test_describe(scalar: Scalar, words: str) -> None:
    assert describe(scalar) == words
