"""URIs and what they give."""

from pathlib import Path

import pytest

from pipeline.config.sources import retrieve, split
from pipeline.config.tree import Position, plain
from pipeline.errors import ConfigError

AT = Position("main.yaml", 3, 5)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("a.yaml", ("file", "a.yaml")),
        ("file:a.yaml", ("file", "a.yaml")),
        (r"C:\a.yaml", ("file", r"C:\a.yaml")),
        ("env:NAME", ("env", "NAME")),
        ("yaml:a::b: 1", ("yaml", "a::b: 1")),
        ("https://x/y", ("https", "//x/y")),
    ],
)
def test_scheme_of_a_uri(uri: str, expected: tuple[str, str]) -> None:
    assert split(uri, default_scheme="file") == expected


def test_file_keeps_its_own_places(tmp_path: Path) -> None:
    path = tmp_path / "part.yaml"
    path.write_text("\n\na: [1]\n")
    retrieved = retrieve("file", str(path), {}, AT)
    assert plain(retrieved.node) == {"a": [1]}
    assert str(retrieved.node.position) == f"{path}:3:1"
    assert retrieved.text == "\n\na: [1]\n"


def test_other_structures_stand_where_they_are_used() -> None:
    node = retrieve("env", "X", {"X": "a: [{b: 1}]"}, AT).node
    assert plain(node) == {"a": [{"b": 1}]}
    assert node.position == AT


def test_a_scalar_file_keeps_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert plain(retrieve("file", str(path), {}, AT).node) == "abc\n"


def test_quotes_of_an_expanded_text_stay() -> None:
    assert plain(retrieve("env", "X", {"X": '"0123"'}, AT).node) == '"0123"'


def test_no_yaml_is_taken_word_for_word_in_an_expansion_only() -> None:
    assert plain(retrieve("env", "X", {"X": "[a"}, AT).node) == "[a"
    with pytest.raises(ConfigError, match="invalid YAML"):
        retrieve("env", "X", {"X": "[a"})


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(retrieve("file", str(path), {}).node) == {"a": 1}


@pytest.mark.parametrize(
    ("scheme", "rest", "message"),
    [
        ("http", "//x/y", "http: is not supported: configuration is read from files and the environment only"),
        ("https", "//x/y", "https: is not supported"),
        ("flie", "a", 'scheme "flie" is not supported; did you mean "file"?'),
        ("VAR", "-x", "is not supported; to give a default write ${env:VAR:-...}"),
        ("env", "1a", 'environment variable "1a" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$'),
        ("env", "", 'environment variable "" has invalid name'),
        ("file", "nothing.yaml", 'cannot read the file "nothing.yaml": No such file or directory'),
        ("file", ".", 'cannot read the file ".": Is a directory'),
        ("file", "a\0b", "cannot read the file"),
    ],
)
def test_what_cannot_be_retrieved(scheme: str, rest: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        retrieve(scheme, rest, {}, AT)
    assert message in str(caught.value)
    assert str(caught.value).startswith("main.yaml:3:5: ")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=r":2:4: not UTF-8 text"):
        retrieve("file", str(path), {})


def test_unset_variable_is_reported_and_null() -> None:
    retrieved = retrieve("env", "NOPE", {}, AT)
    assert (plain(retrieved.node), retrieved.text, retrieved.unset) == (None, "", "NOPE")


@pytest.mark.parametrize(("rest", "value"), [("X:-5", 5), ("X:-", None), ("X:-a b", "a b"), ("X:-[1]", [1])])
def test_default_of_a_variable(rest: str, value: object) -> None:
    retrieved = retrieve("env", rest, {}, AT)
    assert plain(retrieved.node) == value
    assert retrieved.unset is None
