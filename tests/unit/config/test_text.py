"""YAML for people."""

import yaml

from pipeline.config.text import to_yaml


def test_lists_are_indented_and_nothing_is_an_alias() -> None:
    shared = ["é"]
    text = to_yaml({"b": shared, "a": {"c": shared}}, sort_keys=True)
    assert text == "a:\n  c:\n    - é\nb:\n  - é\n"
    assert yaml.safe_load(text) == {"a": {"c": ["é"]}, "b": ["é"]}
    assert to_yaml({"b": 1, "a": 2}, sort_keys=False) == "b: 1\na: 2\n"
