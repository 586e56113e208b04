"""YAML text to a tree with places."""

import pytest

from pipeline.config.compose import compose
from pipeline.config.tree import Mapping, plain
from pipeline.errors import ConfigError


def values(text: str) -> object:
    node = compose(text, "f.yaml")
    return None if node is None else plain(node)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compose(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_places_of_keys_and_values() -> None:
    node = compose("a:\n  b: [1,\n   2]\n", "f.yaml")
    assert isinstance(node, Mapping)
    inner = node.items["a"]
    assert isinstance(inner, Mapping)
    assert str(inner.keys["b"]) == "f.yaml:2:3"
    assert str(inner.items["b"].items[1].position) == "f.yaml:3:4"  # type: ignore[union-attr, index]  # known shape


def test_types_of_scalars() -> None:
    assert values("a: 0123\nb: '0123'\nc: yes\nd: !!str 5\ne: !!float 5\nf: |\n  x\n") == {
        "a": 83, "b": "0123", "c": "yes", "d": "5", "e": 5.0, "f": "x\n",
    }  # fmt: skip


def test_anchors_aliases_and_merge_keys() -> None:
    text = "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {c: 4, a: 9}]}\n"
    assert values(text) == {"x": {"a": 1, "b": 2}, "y": {"b": 3, "a": 1}, "z": {"a": 1, "b": 2, "c": 4}}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert values('{"<<": 1}') == {"<<": 1}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "---\n---\n", "\n\n"])
def test_no_document_is_nothing(text: str) -> None:
    assert values(text) is None


def test_scalar_keys_are_text() -> None:
    assert values("{1: a, true: b, 017: c}") == {"1": "a", "true": "b", "017": "c"}


def test_all_problems_of_the_text_are_found_together() -> None:
    assert errors("a: 1\na: 2\nb: !!int x\n") == [
        'f.yaml:2:1: key "a" is already defined at line 1',
        "f.yaml:3:4: cannot read this value as !!int",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "f.yaml:2:1: invalid YAML"),
        ("a: b: c", "f.yaml:1:5: invalid YAML: mapping values are not allowed"),
        ("a:\n\t- b", "f.yaml:2:1: invalid YAML"),
        ("a: *x", "f.yaml:1:4: unknown anchor; anchors stand before"),
        ("a: &x [*x]", "f.yaml:1:8: unknown anchor;"),
        ("a: \x01", "f.yaml:1:4: invalid YAML: character U+0001"),
        ("{? [a] : b}", "f.yaml:1:4: a key must be text"),
        ("{~: b}", "f.yaml:1:2: a key must be text"),
        ("{<<: 3}", "<< takes a mapping"),
        ("a: 1\n---\nb: 2\n", "f.yaml:3:1: a file holds one YAML document"),
        ("[" * 200 + "]" * 200, "nested deeper than 100 levels"),
        ("a: !!binary '\xff'", "is not base64"),
    ],
)
def test_what_is_wrong_with_the_text(text: str, message: str) -> None:
    assert message in errors(text)[0]


def test_binary_is_text() -> None:
    assert values("a: !!binary aGVsbG8=") == {"a": "hello"}


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "are there aliases inside aliases?" in errors("\n".join(lines))[0]
