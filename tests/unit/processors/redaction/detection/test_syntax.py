"""What is read of an expression, and what is not."""

from __future__ import annotations

import pytest

from processors.redaction.detection.syntax import constants, parse


def test_the_nodes_of_an_expression() -> None:
    tree = parse("(?i)ab?")
    assert [operator for operator, _ in tree] == [constants.LITERAL, constants.MAX_REPEAT]
    assert tree.state.flags & 2  # re.IGNORECASE


@pytest.mark.parametrize("source", [r"\pL", "[[:alpha:]]", "a{,3}", r"\Qa.b\E", "(?U)a+", r"\x{e9}", r"a\z", r"a\C"])
def test_what_re2_reads_differently_is_not_read(source: str) -> None:
    assert parse(source) is None


@pytest.mark.parametrize("source", ["(", "a{99999999999999999999}", "[[a]&&b]", "(" * 5000])
def test_what_python_cannot_read_is_not_read(source: str) -> None:
    assert parse(source) is None
