"""What users say of answers comes out as the result of an evaluation called `user_feedback`."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signals import Batch, Signal
from pipeline.signals.values import set_any_value
from pipeline.testing import configured, trace_request
from pipeline.testing.builders import logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

NAME, SCORE = "gen_ai.evaluation.name", "gen_ai.evaluation.score.value"
LABEL, EXPLANATION = "gen_ai.evaluation.score.label", "gen_ai.evaluation.explanation"
PROPOSED = "gen_ai.evaluation.user_feedback"


def results(batch: Batch) -> list[dict[str, Any]]:
    (record,) = configured(GenAiNormalizer).process(batch).records()
    return [dict(event.attributes) for event in record.events if event.name == "gen_ai.evaluation.result"]


@pytest.mark.parametrize(
    ("value", "said"),
    [(4, {SCORE: 4.0}), ("helpful", {LABEL: "helpful"}), (True, {SCORE: 1.0, LABEL: "true"})],
)
def test_an_annotation_of_logfire(value: Any, said: dict[str, Any]) -> None:
    span = {"logfire.span_type": "annotation", "logfire.feedback.name": "rating", "rating": value}
    found = results(traces({**span, "logfire.feedback.comment": "Quick"}, scope="logfire.feedback"))
    assert found == [{NAME: "user_feedback", EXPLANATION: "Quick", **said}]


def test_an_event_of_a_span_as_it_was_proposed() -> None:
    request = trace_request({"gen_ai.operation.name": "chat"})
    event = request.resource_spans[0].scope_spans[0].spans[0].events.add(name=PROPOSED)
    set_any_value(event.attributes.add(key="gen_ai.evaluation.score").value, -1)
    set_any_value(event.attributes.add(key="comment").value, "Wrong city")
    found = results(Batch.of_message(request, Signal.TRACES))
    assert found == [{NAME: "user_feedback", SCORE: -1.0, EXPLANATION: "Wrong city"}]


def test_a_log_record_as_it_was_proposed() -> None:
    said = {"event.name": PROPOSED, "gen_ai.evaluation.score": 1.0, "gen_ai.response.id": "r-1"}
    (record,) = configured(GenAiNormalizer).process(logs({"comment": "Thanks"}, attributes=said)).records()
    assert record.attributes[NAME] == "user_feedback"
    assert (record.attributes[SCORE], record.attributes[EXPLANATION]) == (1.0, "Thanks")


def test_nothing_is_said_where_no_value_is() -> None:
    assert results(traces({"logfire.feedback.name": "rating"}, scope="logfire.feedback")) == []
