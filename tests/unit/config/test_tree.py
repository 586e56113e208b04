"""Merging, nesting and looking up."""

import pytest

from pipeline.config.compose import compose
from pipeline.config.tree import Mapping, Path, child, locate, merge, nest, plain, walk


def tree(text: str) -> Mapping:
    node = compose(text, "f")
    assert isinstance(node, Mapping)
    return node


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}}", {"a": {"b": 1, "c": 3, "d": 4}}),
        ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
        ("{a: {b: 1}}", "{a: }", {"a": None}),
        ("{a: {b: 1}}", "{a: 5}", {"a": 5}),
        ("{a: 5}", "{a: {b: 1}}", {"a": {"b": 1}}),
        ("{a: 1}", "{b: 2}", {"a": 1, "b": 2}),
    ],
)
def test_merge(base: str, over: str, expected: object) -> None:
    assert plain(merge(tree(base), tree(over))) == expected


def test_merge_keeps_the_place_of_what_wins() -> None:
    merged = merge(tree("{a: 1}"), Mapping(tree("\n\n{a: 2}").items, tree("\n\n{a: 2}").keys, tree("{a: 1}").position))
    assert isinstance(merged, Mapping)
    assert merged.keys["a"].line == 3


def test_keys_with_delimiters_nest() -> None:
    assert plain(nest(tree("{a::b::c: 1, a: {d: 2}, l: [{x::y: 1}]}"))) == {
        "a": {"b": {"c": 1}, "d": 2}, "l": [{"x::y": 1}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "found", "place"),
    [
        (("a", "b"), ("a", "b"), "f:2:2"),
        (("a", "function-wrap", "b"), ("a", "b"), "f:2:2"),
        (("a", "l", 1), ("a", "l", 1), "f:3:9"),
        (("a", "l", 7), ("a", "l"), "f:3:2"),
        (("a", "nothing"), ("a",), "f:1:1"),
        ((), (), "f:1:1"),
    ],
)
def test_locate_finds_the_deepest_place(path: Path, found: Path, place: str) -> None:
    located, position, _ = locate(tree("a:\n b: 1\n l: [1, 2]\n"), path)
    assert (located, str(position)) == (found, place)


def test_child_and_walk() -> None:
    root = tree("a: {b: [x, {c: 1}]}")
    assert child(root, "a", "nothing") is None
    assert [path for path, _, _ in walk(root)] == [
        ("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1), ("a", "b", 1, "c"),
    ]  # fmt: skip
