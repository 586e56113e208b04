"""Findings of a joined text, replaced in its pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.detection.findings import Finding, splice
from processors.redaction.detection.loader import load_rules
from processors.redaction.records.joined import across_pieces, splice_pieces
from tests.unit.processors.redaction.stage import treatment

RULE = next(rule for rule in load_rules() if rule.entity.name == "EMAIL")
TREATMENT = treatment()


def finding(start: int, end: int) -> Finding:
    return Finding(start, end, RULE)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], ["abc", "def", "ghi"]),
        ([(0, 3)], ["<EMAIL>", "def", "ghi"]),
        ([(1, 2)], ["a<EMAIL>c", "def", "ghi"]),
        ([(2, 7)], ["ab<EMAIL>", "", "hi"]),
        ([(0, 9)], ["<EMAIL>", "", ""]),
        ([(1, 4), (5, 8)], ["a<EMAIL>", "e<EMAIL>", "i"]),
        ([(0, 1), (2, 3), (8, 9)], ["<EMAIL>b<EMAIL>", "def", "gh<EMAIL>"]),
    ],
)
def test_the_first_piece_gets_the_placeholder(spans: list[tuple[int, int]], expected: list[str]) -> None:
    assert splice_pieces(["abc", "def", "ghi"], [finding(*span) for span in spans], TREATMENT) == expected


def test_separators_belong_to_no_piece() -> None:
    # "ab cd ef": what reaches from one word into the next, and a separator alone.
    assert splice_pieces(["ab", "cd", "ef"], [finding(1, 4)], TREATMENT, " ") == ["a<EMAIL>", "d", "ef"]
    assert splice_pieces(["ab", "cd", "ef"], [finding(3, 5)], TREATMENT, " ") == ["ab", "<EMAIL>", "ef"]


def test_findings_over_several_pieces() -> None:
    findings = [finding(0, 2), finding(2, 4), finding(6, 9)]
    assert across_pieces(["abc", "def", "ghi"], findings) == [findings[1]]
    assert across_pieces(["ab", "cd"], [finding(0, 2), finding(3, 5), finding(1, 4)], " ") == [finding(1, 4)]


@given(st.lists(st.text("abc", max_size=4), min_size=1, max_size=6), st.lists(st.integers(0, 24), max_size=6))
def test_pieces_join_to_the_spliced_text(pieces: list[str], cuts: list[int]) -> None:
    joined = "".join(pieces)
    edges = sorted({min(cut, len(joined)) for cut in cuts})
    findings = [finding(*pair) for pair in zip(edges[::2], edges[1::2], strict=False)]
    new = splice_pieces(pieces, findings, TREATMENT)
    assert len(new) == len(pieces)
    assert "".join(new) == splice(joined, findings, TREATMENT)
