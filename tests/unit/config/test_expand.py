"""Expansion, as the Collector does it (values compared with its v0.145)."""

from pathlib import Path

import pytest

from pipeline.config.compose import compose
from pipeline.config.expand import Expander, find_uri
from pipeline.config.tree import Mapping, Node, plain

ENVIRON = {
    "N": "12",
    "OCTAL": "0123",
    "QUOTED": '"0123"',
    "BOOL": "true",
    "YES": "yes",
    "EMPTY": "",
    "LIST": "[a, 1]",
    "MAP": "{a: '${env:N}', b: 2}",
    "NAME": "N",
    "NESTED": "${env:N}",
    "DOLLARS": "p$$q",
    "SELF": "${env:SELF}",
    "SELF_IN_TEXT": "x${env:SELF_IN_TEXT}",
    "SELF_IN_MAP": "{a: '${env:SELF_IN_MAP}'}",
    "DOUBLE0": "xxxxxxxxxx",
    "BAD": "[a",
}


def expand(text: str) -> tuple[Node, Expander]:
    root = compose(f"a: {text}", "f.yaml")
    assert isinstance(root, Mapping)
    expander = Expander(ENVIRON)
    return expander.expand(root.items["a"]), expander


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:N}", 12),
        ("${N}", 12),
        ("${env:OCTAL}", 83),
        ("${env:QUOTED}", '"0123"'),
        ("${env:BOOL}", True),
        ("${env:YES}", "yes"),
        ("${env:LIST}", ["a", 1]),
        ("${env:MAP}", {"a": 12, "b": 2}),
        ("${env:NESTED}", 12),
        ("${env:NOPE:-7}", 7),
        ("${env:NOPE:-}", None),
        ("${env:EMPTY}", None),
        ("${env:EMPTY:-7}", None),
        ("${env:${env:NAME}}", 12),
        ("${env:BAD}", "[a"),
        ("'${yaml:[1, 2]}'", [1, 2]),
        ("x${env:N}y", "x12y"),
        ("x${env:N}y${env:OCTAL}", "x12y0123"),
        ("x${env:LIST}", "x[a, 1]"),
        ("x${env:NOPE}", "x"),
        ("x${env:DOLLARS}", "xp$q"),
        ("$N", "$N"),
        ("a$$b", "a$b"),
        ("$${env:N}", "${env:N}"),
        ("$$${env:N}", "$12"),
        ("$$$${env:N}", "$${env:N}"),
        ("$$$$${env:N}", "$$12"),
        ("${env:N", "${env:N"),
        ("env:N}", "env:N}"),
        ("x} ${env:N}", "x} 12"),
        ("$${env:N} ${env:N}", "${env:N} 12"),
    ],
)
def test_values(text: str, value: object) -> None:
    node, expander = expand(text)
    assert plain(node) == value
    assert expander.problems == []


@pytest.mark.parametrize(
    ("text", "original"),
    [
        ("${env:OCTAL}", "0123"),
        ("${env:BOOL}", "true"),
        ("${env:LIST}", "[a, 1]"),
        ("${env:MAP}", "{a: '12', b: 2}"),
        ("${env:EMPTY}", ""),
        ("${env:NOPE}", ""),
        ("12", None),
    ],
)
def test_original_text_is_kept(text: str, original: str | None) -> None:
    assert expand(text)[0].text == original


def test_values_inside_lists_and_mappings_are_expanded_keys_are_not() -> None:
    node, _ = expand("[{'${env:N}': '${env:N}'}]")
    assert plain(node) == [{"${env:N}": 12}]


def test_unset_variable_is_one_warning_with_its_place() -> None:
    root = compose("a:\n- x${env:NOPE}${env:NOPE}", "f.yaml")
    assert root is not None
    expander = Expander(ENVIRON)
    expander.expand(root)
    assert [str(warning) for warning in expander.warnings] == [
        'f.yaml:2:3: a::0: environment variable "NOPE" is not set; its value is empty'
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env:SELF}", "too many recursive expansions"),
        ("${env:SELF_IN_TEXT}", "too many recursive expansions"),
        ("${env:1x}", "has invalid name"),
        ("${s3:x}", 'scheme "s3" is not supported'),
        ("${NOPE:-x}", "write ${env:NOPE:-...}"),
        ("${file:nothing.txt}", "cannot read the file"),
        ("${env:$N}", "unsupported characters ('$')"),
    ],
)
def test_problems_have_their_place_and_leave_the_rest_alone(text: str, message: str) -> None:
    root = compose(f"a: '{text}'\nb: ${{env:N}}\n", "f.yaml")
    assert root is not None
    expander = Expander(ENVIRON)
    node = expander.expand(root)
    (problem,) = expander.problems
    assert message in problem.message
    assert (problem.file, problem.line, problem.column) == ("f.yaml", 1, 4)
    assert isinstance(node, Mapping)
    assert plain(node.items["b"]) == 12


def test_a_mapping_that_holds_itself_is_stopped() -> None:
    _, expander = expand("${env:SELF_IN_MAP}")
    assert [problem.message for problem in expander.problems] == [
        "too many recursive expansions; does the value expand to itself?"
    ]


def test_text_that_doubles_is_stopped() -> None:
    environ = {f"D{n}": f"${{env:D{n - 1}}}${{env:D{n - 1}}}" for n in range(1, 40)} | {"D0": "x" * 100}
    root = compose("a: x${env:D39}", "f.yaml")
    assert root is not None
    expander = Expander(environ)
    expander.expand(root)
    assert "too many recursive expansions" in expander.problems[0].message


def test_files_that_include_each_other_are_stopped(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(f"[ '${{file:{path}}}', '${{file:{path}}}' ]")
    root = compose(f"a: ${{file:{path}}}", "f.yaml")
    assert root is not None
    expander = Expander({})
    expander.expand(root)
    assert "too many recursive expansions" in expander.problems[0].message


@pytest.mark.parametrize(
    ("text", "uri"),
    [("a${b}c", "${b}"), ("$${b}", ""), ("$$${b}", "${b}"), ("${a${b}}", "${b}"), ("}${a", ""), ("", "")],
)
def test_find_uri(text: str, uri: str) -> None:
    start, found = find_uri(text)
    assert found == uri
    assert text[start:].startswith(uri)
