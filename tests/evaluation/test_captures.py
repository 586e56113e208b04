"""The scoring itself: what counts as recognised, right, and left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.evaluation.captures import Score, forms, score
from tests.unit.processors.demo.spans import CALL, request_of

TRUTH: dict[str, Any] = {
    "requests": [
        {"usage": {"input_tokens": 53, "output_tokens": 48}},
        {"usage": {"input_tokens": 7, "output_tokens": 1}},
    ],
    "planted": [
        {"type": "email", "value": "a@example.org"},
        {"type": "email", "value": "a@example.org"},
        {"type": "person_name", "value": "山田太郎"},
    ],
}


def test_calls_tokens_and_planted_values_are_counted() -> None:
    span = {**CALL, "text": json.dumps({"content": json.dumps("山田太郎")}), "mail": "<EMAIL>"}
    total = Score()
    score(total, TRUTH, [("traces", request_of(span).SerializeToString())])
    assert (total.calls, total.recognised, total.tokens_known, total.tokens_right) == (2, 1, 2, 1)
    assert (total.priced, total.planted, total.left, dict(total.left_later)) == (1, 2, {}, {"person_name": 1})


def test_a_planted_value_in_a_log_is_left() -> None:
    total = Score()
    score(total, TRUTH, [("logs", b"write to a@example.org")])
    assert dict(total.left) == {"email": 1}


@pytest.mark.parametrize("nesting", [0, 1, 2])
def test_values_are_found_inside_json_inside_json(nesting: int) -> None:
    text = 'line\n"東京"'
    for _ in range(nesting):
        text = json.dumps(text)
    assert any(form in text.encode() for form in forms('line\n"東京"'))
