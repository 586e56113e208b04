"""Ids of components and pipelines."""

import pytest
from pydantic import TypeAdapter

from pipeline.config import ComponentId, PipelineId


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("otlp", ComponentId("otlp")),
        (" otlp / eu west ".replace("eu west", "eu-west"), ComponentId("otlp", "eu-west")),
        ("otlp/a/b", ComponentId("otlp", "a/b")),
        ("otlp/日本", ComponentId("otlp", "日本")),
        ("a" * 63, ComponentId("a" * 63)),
    ],
)
def test_component_id_is_read(text: str, expected: ComponentId) -> None:
    assert ComponentId.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "id must not be empty"),
        ("  ", "id must not be empty"),
        ("/x", "the part before / should not be empty"),
        ("x/", "the part after / should not be empty"),
        ("x/ ", "the part after / should not be empty"),
        ("1x", "invalid character(s) in type"),
        ("a-b", "invalid character(s) in type"),
        ("a" * 64, "invalid character(s) in type"),
        ("x/a b", "invalid character(s) in name"),
        ("x/a+b", "invalid character(s) in name"),
        ("x/\u200b", "invalid character(s) in name"),
        ("x/" + "n" * 1025, "1024 characters at most"),
    ],
)
def test_bad_component_id_says_which_part(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        ComponentId.parse(text)


def test_str_gives_the_spelling_of_the_file() -> None:
    assert str(ComponentId("otlp")) == "otlp"
    assert str(ComponentId("otlp", "a")) == "otlp/a"
    assert str(PipelineId("traces", "in")) == "traces/in"


def test_pipeline_id() -> None:
    assert PipelineId.parse("traces/in") == PipelineId("traces", "in")


@pytest.mark.parametrize(
    ("text", "message"),
    [("foo", 'unknown pipeline signal: "foo"'), ("profiles", "not supported"), ("traces/", "part after")],
)
def test_bad_pipeline_id(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PipelineId.parse(text)


def test_models_take_ids_and_texts_and_print_texts() -> None:
    adapter = TypeAdapter(list[ComponentId])
    ids = adapter.validate_python(["a/b", ComponentId("c")])
    assert ids == [ComponentId("a", "b"), ComponentId("c")]
    assert adapter.dump_json(ids) == b'["a/b","c"]'
    assert adapter.validate_json('["a/b"]') == ids[:1]
    with pytest.raises(ValueError, match="expected text"):
        adapter.validate_python([3])
