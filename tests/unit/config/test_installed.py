"""What holds for the configuration of every installed component."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pipeline.config import ConfigModel
from pipeline.config.catalog import InstalledComponents
from pipeline.config.compose import compose
from pipeline.config.decode import decode
from pipeline.config.describe import blocks, keys
from pipeline.config.effective import dump
from pipeline.config.expand import Expander
from pipeline.config.listing import Entry, entries
from pipeline.config.service import ServiceConfig
from pipeline.config.tree import Node, Position

ENTRIES = list(entries(InstalledComponents()))
MODELS: list[type[ConfigModel]] = list(dict.fromkeys([ServiceConfig, *(entry.cls.Config for entry in ENTRIES)]))
ENVIRON = {"N": "3", "T": "text", "L": "[a, b]", "D": "5s"}
PLACE = Position("f")

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def tree(value: object) -> Node:
    node = compose(yaml.safe_dump(value, allow_unicode=True), "f")
    assert node is not None
    return Expander(ENVIRON).expand(node)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_component_says_what_it_does(entry: Entry) -> None:
    assert entry.summary
    assert entry.kind == "extensions" or entry.signals
    assert len(entry.summary) < 200


@each_model
def test_every_key_has_a_description(model: type[ConfigModel]) -> None:
    assert [key.path for key in keys(model) if not key.description] == []


@each_model
def test_no_description_repeats_its_key(model: type[ConfigModel]) -> None:
    for key in keys(model):
        assert key.description.lower().rstrip(".") != key.path.rpartition(".")[2].replace("_", " ")


def defaults_of(model: type[ConfigModel]) -> ConfigModel | None:
    """An instance of defaults alone; None for a model with required keys."""
    try:
        return model()
    except ValidationError:
        return None


DEFAULTS = [config for config in map(defaults_of, MODELS) if config is not None]


@pytest.mark.parametrize("config", DEFAULTS, ids=lambda config: type(config).__name__)
def test_defaults_are_printed_and_load_again(config: ConfigModel) -> None:
    model = type(config)
    again, problems = decode(tree(dump(config, unredacted=True)), model, (), PLACE)
    assert [str(problem) for problem in problems] == []
    assert again is not None
    assert dump(again, unredacted=True) == dump(config, unredacted=True)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**6),
    st.floats(allow_nan=True),
    st.sampled_from(["", "5s", "10", "a:1", "localhost:4317", "http://x:1/y", "(", ".*", "${env:N}", "${env:T}"]),
    st.sampled_from(["${env:L}", "${env:D}", "${env:NO}", "a,b", "gzip", "none", "json", "items", "é", "/", "a/b/c"]),
    st.text(max_size=5),
)


def values(model: type[BaseModel], depth: int) -> st.SearchStrategy[Any]:
    """Blocks with the model's own keys and values that are right, nearly right and wrong."""
    if depth == 0:
        return scalars
    optional = {field.alias or name: one_value(field.annotation, depth) for name, field in model.model_fields.items()}
    return st.one_of(st.fixed_dictionaries({}, optional=optional), scalars, st.lists(scalars, max_size=2))


def one_value(annotation: Any, depth: int) -> st.SearchStrategy[Any]:
    choices = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    words = [word for choice in choices for word in get_args(choice) if isinstance(word, str | int)]
    inner = [values(block, depth - 1) for _, block in blocks(annotation)]
    made = [scalars, *inner, *(st.lists(item, max_size=3) for item in inner), st.lists(scalars, max_size=3)]
    made += [st.dictionaries(st.sampled_from(["a", "b"]), item, max_size=2) for item in [*inner, scalars]]
    return st.one_of(st.sampled_from(words), *made) if words else st.one_of(made)


@each_model
@given(data=st.data())
@settings(max_examples=40)
def test_whatever_stands_there_it_loads_or_is_a_problem(model: type[ConfigModel], data: st.DataObject) -> None:
    drawn = data.draw(values(model, 4))
    config, problems = decode(tree(drawn), model, ("x",), PLACE)
    assert (config is None) == bool(problems)
    for problem in problems:
        assert problem.message
        assert problem.path[:1] == ("x",)
    if config is not None:
        dump(config, unredacted=False)
