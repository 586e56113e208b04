"""The short form of formats: its pattern, what finds candidates, and how far a match reaches."""

from __future__ import annotations

import re

import pytest

from processors.redaction.knowledge.formats import read_format


@pytest.mark.parametrize(
    ("text", "trigger", "before"),
    [
        ("gsk_{a20}WGdyb3FY{a24}", "(?:^|[^0-9A-Za-z_])gsk_[0-9A-Za-z]{6}", 10),
        ("dop_v1_{h64}", "dop_v1_", 7),
        ("{h32}-us{d1-2}", "-us[0-9]{1}", 36),
        ("{a8}.atlasv1.{u60-70}", "\\.atlasv1\\.", 17),
        ("{a4}-{a4}", None, 0),
    ],
)
def test_the_trigger_is_no_larger_than_needed(text: str, trigger: str | None, before: int) -> None:
    form = read_format(text)
    assert (form.trigger and form.trigger.replace("\\-", "-"), form.before) == (trigger, before)


@pytest.mark.parametrize(
    "text", ["gsk_{a20}WGdyb3FY{a24}", "dop_v1_{h64}", "{a8}.atlasv1.{U60-70}", "ey{uuid}key-{d3}"]
)
def test_a_match_lies_between_its_bounds(text: str) -> None:
    form = read_format(text)
    classes = {"a": "x", "h": "f", "U": "A", "d": "7"}
    filled = re.sub(r"\{(\w)[0-9-]*?([0-9]+)\}", lambda match: classes[match[1]] * int(match[2]), text)
    value = filled.replace("{uuid}", "01234567-89ab-cdef-0123-456789abcdef")
    assert re.fullmatch(form.pattern, value)
    assert len(value) == form.length
    hit = re.search(form.trigger or "never", value)
    assert hit is not None
    assert hit.end() <= form.before


def test_an_unknown_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown piece"):
        read_format("key-{q12}")
