"""Several sources, `--set`, expansion: one tree."""

from collections.abc import Callable

import pytest

from pipeline.config.resolve import Resolved, resolve
from pipeline.config.tree import child, plain
from pipeline.errors import ConfigError

Write = Callable[..., list[str]]


@pytest.fixture
def resolved(write: Write) -> Callable[..., Resolved]:
    return lambda *texts, sets=(), environ=None: resolve(write(*texts), sets, environ or {})


def test_later_files_lie_on_earlier_ones(resolved: Callable[..., Resolved]) -> None:
    root = resolved("a: {b: 1, l: [1]}\nc: {d: 1}", "a: {l: [2]}\nc:\n").root
    assert plain(root) == {"a": {"b": 1, "l": [2]}, "c": None}


def test_values_of_the_file_that_wins_have_its_place(resolved: Callable[..., Resolved]) -> None:
    root = resolved("a: {b: 1}", "\na: {b: 2}").root
    node = child(root, "a", "b")
    assert node is not None
    assert str(node.position) == "c1.yaml:2:8"


def test_an_empty_file_beside_another_is_no_error(resolved: Callable[..., Resolved]) -> None:
    assert plain(resolved("a: 1", "", "# nothing\n").root) == {"a": 1}


def test_set_comes_last_is_yaml_and_nests_at_dots(resolved: Callable[..., Resolved]) -> None:
    sets = ("a.b.c=[1, 2]", "a.l=x", "a.n=", "a.t = ${env:T} ")
    assert plain(resolved("a: {b: {c: 0, d: 0}, l: [1]}", sets=sets, environ={"T": "5"}).root) == {
        "a": {"b": {"c": [1, 2], "d": 0}, "l": "x", "n": None, "t": 5}
    }


def test_keys_with_delimiters_nest(resolved: Callable[..., Resolved]) -> None:
    assert plain(resolved("a::b: 1\na: {c: 2}").root) == {"a": {"b": 1, "c": 2}}


def test_sources_that_are_no_files() -> None:
    resolved = resolve(["yaml:a::b: 1", "env:REST"], (), {"REST": "a: {c: 2}"})
    assert plain(resolved.root) == {"a": {"b": 1, "c": 2}}


def test_a_whole_section_from_a_file(write: Write) -> None:
    names = write("receivers: ${file:c1.yaml}", "otlp: {x::y: 1}")
    assert plain(resolve(names[:1], (), {}).root) == {"receivers": {"otlp": {"x": {"y": 1}}}}


@pytest.mark.parametrize("text", ["", "# x\n", "{}", "---\n", "null"])
def test_empty_configuration(resolved: Callable[..., Resolved], text: str) -> None:
    with pytest.raises(ConfigError, match=r"c0\.yaml:1:1: empty configuration file"):
        resolved(text)


@pytest.mark.parametrize(("text", "kind"), [("[a]", "a list"), ("a", "a single value"), ("12", "a single value")])
def test_a_configuration_is_a_mapping(resolved: Callable[..., Resolved], text: str, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"a configuration is a mapping of sections, this is {kind}"):
        resolved(text)


def test_no_source() -> None:
    with pytest.raises(ConfigError, match="at least one config flag must be provided"):
        resolve([], (), {})


def test_problems_of_all_sources_come_together(write: Write) -> None:
    names = write("a: [", "a: 1\na: 2")
    with pytest.raises(ConfigError) as caught:
        resolve([*names, "nothing.yaml", "http://x"], ["a.b", "=1", "c=["], {})
    texts = [str(problem) for problem in caught.value.problems]
    assert len(texts) == 7
    assert 'missing equal sign in --set "a.b"; write --set key.path=value' in texts
    assert [text for text in texts if text.startswith("--set c:2:1: invalid YAML")]
