"""Secrets and patterns."""

import pickle

import pytest
from pydantic import TypeAdapter

from pipeline.config import Pattern, Secret
from pipeline.config.types import MASK, UNREDACTED


def test_secret_shows_nowhere() -> None:
    secret = Secret("hunter2")
    adapter = TypeAdapter(dict[str, Secret])
    assert "hunter2" not in f"{secret} {secret!r}"
    assert adapter.dump_python({"a": secret}, mode="json") == {"a": MASK}
    assert secret.get_secret_value() == "hunter2"


def test_secret_is_readable_where_the_context_asks_for_it() -> None:
    adapter = TypeAdapter(Secret)
    assert adapter.dump_python(Secret("x"), mode="json", context={UNREDACTED: True}) == "x"
    assert adapter.dump_python(Secret("x"), mode="json", context={UNREDACTED: False}) == MASK


def test_secret_is_not_in_the_error_of_a_wrong_type() -> None:
    with pytest.raises(ValueError, match="expected text, got list"):
        TypeAdapter(Secret).validate_python(["hunter2"])


def test_empty_secret_prints_as_empty() -> None:
    assert str(Secret("")) == ""


def test_pattern_has_the_meaning_of_re2() -> None:
    assert Pattern("a$").regex.search("a\n") is None
    assert Pattern(r"^\d$").regex.search("٣") is None
    assert Pattern(r"(?P<x>b+)").regex.search("abb").group("x") == "bb"


@pytest.mark.parametrize("source", ["a(", r"(?=a)", r"\1", "[z-a]"])
def test_pattern_that_re2_does_not_take(source: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"not a regular expression of RE2: .+"):
        Pattern(source)
    assert capfd.readouterr().err == ""


def test_pattern_is_a_value() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("b")
    assert len({Pattern("a"), Pattern("a")}) == 1
    assert str(Pattern("a")) == "a"
    assert TypeAdapter(Pattern).dump_json(Pattern("a")) == b'"a"'
    assert pickle.loads(pickle.dumps(Pattern("a"))) == Pattern("a")
