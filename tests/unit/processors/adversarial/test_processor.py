"""What the processor writes on records, and what it counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.component import Host
from pipeline.signals import Batch, Span, Value
from pipeline.testing import logs, make_host, metric_value, traces
from tests.unit.processors.adversarial.judges import ATTACK, BROKEN, HARMLESS, SUSPECT, WordJudge, built

SCORE = "penstock.adversarial.score"
LABEL = "penstock.adversarial.label"
CATEGORY = "penstock.adversarial.category"
PARTS = "penstock_adversarial_parts_total"
SKIPPED = "penstock_adversarial_skipped_total"


def said(*texts: str, role: str = "user") -> dict[str, Value]:
    parts = [{"type": "text", "content": text} for text in texts]
    return {"gen_ai.input.messages": json.dumps([{"role": role, "parts": parts}])}


def ours(batch: Batch, index: int = 0) -> dict[str, Value]:
    """What was written on a record, without its prefix."""
    prefix = "penstock.adversarial."
    attributes = batch.records()[index].attributes
    return {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}


def events(batch: Batch, index: int = 0) -> list[dict[str, Value]]:
    span: Any = batch.records()[index]
    return [dict(event.attributes) for event in span.events if event.name == "gen_ai.evaluation.result"]


def test_what_passes_has_a_score_and_a_label() -> None:
    batch = traces(said(HARMLESS))
    built().process(batch)
    assert ours(batch) == {"score": 0.25, "label": "pass"}
    assert events(batch) == []


def test_the_worst_of_several_texts_counts() -> None:
    batch = traces(said(HARMLESS, SUSPECT, ATTACK))
    built().process(batch)
    assert ours(batch) == {"score": 0.9712, "label": "attack", "category": "direct_injection"}
    assert [event["gen_ai.evaluation.score.label"] for event in events(batch)] == ["suspect", "attack"]


def test_an_event_says_what_was_found_and_none_of_the_words() -> None:
    batch = traces({**said(f"So: {ATTACK}"), "gen_ai.response.id": "resp-7"})
    built().process(batch)
    (event,) = events(batch)
    assert event == {
        "gen_ai.evaluation.name": "adversarial_input",
        "gen_ai.evaluation.score.value": 0.9712,
        "gen_ai.evaluation.score.label": "attack",
        "gen_ai.evaluation.explanation": "override_verb + prior, reveal_verb, verbatim",
        "gen_ai.response.id": "resp-7",
        "security_rule.name": "override_verb + prior",
        "security_rule.category": "direct_injection",
        "security_rule.version": "words-1",
        "security_rule.ruleset.name": "penstock.adversarial",
        "penstock.adversarial.category": "direct_injection",
        "penstock.adversarial.origin": "user",
        "penstock.adversarial.view": "plain",
        "penstock.adversarial.segment.offset": 4,
        "penstock.adversarial.segment.length": 40,
        "penstock.adversarial.action": "annotate",
    }
    span = batch.records()[0]
    assert isinstance(span, Span)
    assert span.events[0].time_unix_nano == span.end_time_unix_nano


def test_nothing_else_of_a_record_changes() -> None:
    attributes = {**said(ATTACK), "input.value": ATTACK}
    batch = traces(attributes)
    built().process(batch)
    after = {key: value for key, value in batch.records()[0].attributes.items() if not key.startswith("penstock.")}
    assert after == attributes


def test_without_events() -> None:
    batch = traces(said(ATTACK))
    built(events=False).process(batch)
    assert ours(batch)["label"] == "attack"
    assert events(batch) == []


def test_events_of_a_span_are_few_and_the_worst() -> None:
    texts = [f"{SUSPECT} {number}" for number in range(12)] + [ATTACK]
    batch = traces(said(*texts))
    built().process(batch)
    labels = [event["gen_ai.evaluation.score.label"] for event in events(batch)]
    assert labels == ["suspect"] * 7 + ["attack"]


def test_a_record_that_comes_again_stays_as_it_is() -> None:
    batch = traces(said(SUSPECT, ATTACK))
    processor = built()
    processor.process(batch)
    batch.settle()
    once = batch.serialize()
    processor.process(batch)
    batch.settle()
    assert batch.serialize() == once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {LABEL: "attack", SCORE: 0.9, CATEGORY: "jailbreak"},
            {"label": "attack", "score": 0.9, "category": "jailbreak"},
        ),
        ({LABEL: "pass", SCORE: 0.0}, {"label": "suspect", "score": 0.61, "category": "indirect"}),
        ({LABEL: "fine", SCORE: 0.99}, {"label": "suspect", "score": 0.61, "category": "indirect"}),
        ({LABEL: "attack", SCORE: "high"}, {"label": "suspect", "score": 0.61, "category": "indirect"}),
    ],
)
def test_the_verdict_of_another_tier_stays_where_it_is_worse(before: dict[str, Value], after: dict[str, Value]) -> None:
    batch = traces({**said(SUSPECT), **before})
    built().process(batch)
    assert ours(batch) == after


def test_a_record_that_a_sender_calls_harmless_is_examined_all_the_same() -> None:
    batch = traces({**said(HARMLESS), LABEL: "pass", SCORE: 1.0})
    built().process(batch)
    assert ours(batch) == {"label": "pass", "score": 1.0}


def test_system_parts_alone_raise_no_alarm() -> None:
    batch = traces(said(ATTACK, role="system"), {**said(ATTACK, role="system"), "gen_ai.tool.call.result": HARMLESS})
    built().process(batch)
    assert ours(batch, 0) == {"score": 0.9712, "label": "pass"}
    assert ours(batch, 1) == {"score": 0.25, "label": "pass"}


def test_a_model_that_repeats_an_attack_makes_none() -> None:
    batch = traces(said(ATTACK, role="assistant"), said(f"{ATTACK} extract", role="assistant"))
    built().process(batch)
    assert ours(batch, 0)["label"] == "pass"
    assert ours(batch, 1)["category"] == "extraction"


def test_log_records_carry_it_as_attributes() -> None:
    batch = logs({"content": ATTACK}, attributes={"event.name": "gen_ai.user.message"})
    built().process(batch)
    assert ours(batch) == {
        "score": 0.9712,
        "label": "attack",
        "category": "direct_injection",
        "origin": "user",
        "view": "plain",
        "segment.offset": 0,
        "segment.length": 40,
    }
    attributes = batch.records()[0].attributes
    assert attributes["security_rule.name"] == "override_verb + prior"
    assert not any(key.startswith("gen_ai.evaluation.") for key in attributes)


def test_records_without_text_are_not_marked() -> None:
    batch = traces({"http.request.method": "GET"}, {"gen_ai.operation.name": "chat"}, said(""))
    built().process(batch)
    assert [ours(batch, index) for index in range(3)] == [{}, {}, {}]
    assert not batch.changed


def test_a_text_that_cannot_be_examined_passes_marked() -> None:
    host = make_host("adversarial")
    judge = WordJudge()
    batch = traces(said(BROKEN), said(ATTACK), said(BROKEN, HARMLESS))
    processor = built(judge, host)
    processor.process(batch)
    assert ours(batch, 0) == {"error": True}
    assert ours(batch, 1)["label"] == "attack"
    assert ours(batch, 2) == {"error": True, "score": 0.25, "label": "pass"}
    assert metric_value(host, SKIPPED, reason="error") == 2
    # It is tried again when it comes again: what failed may have been something else.
    processor.process(traces(said(BROKEN)))
    assert [part.text for part in judge.asked].count(BROKEN) >= 3


def test_texts_of_which_only_a_part_was_read_are_marked() -> None:
    host = make_host("adversarial")
    batch = traces(said("word " * 30_000))
    built(host=host).process(batch)
    assert ours(batch) == {"score": 0.01, "label": "pass", "truncated": True}
    assert metric_value(host, SKIPPED, reason="size") == 1


def test_what_was_seen_before_is_not_asked_again() -> None:
    host, judge = make_host("adversarial"), WordJudge()
    processor = built(judge, host)
    batch = traces(said(HARMLESS, SUSPECT), said(HARMLESS, SUSPECT))
    processor.process(batch)
    processor.process(again := traces(said(SUSPECT, HARMLESS)))
    assert sorted(part.text for part in judge.asked) == sorted([HARMLESS, SUSPECT])
    assert ours(batch, 1) == ours(again) == ours(batch, 0)
    assert metric_value(host, SKIPPED, reason="cached") == 4


def test_the_same_words_of_another_origin_are_asked_again() -> None:
    judge = WordJudge()
    built(judge).process(traces({**said(HARMLESS), "gen_ai.tool.call.result": HARMLESS}))
    assert [part.origin.value for part in judge.asked] == ["user", "tool"]


def test_many_texts_are_asked_in_lots() -> None:
    judge = WordJudge()
    built(judge).process(traces(*[said(f"{number} " * 10_000) for number in range(8)]))
    assert len(judge.lots) == 3
    assert max(sum(len(part.text) for part in lot) for lot in judge.lots) <= 64 << 10


def parts(host: Host, **labels: str) -> float:
    return metric_value(host, PARTS, **{"action": "annotate", "shadow": "false", "category": "", **labels})


def test_parts_are_counted_by_verdict_and_origin() -> None:
    host = make_host("adversarial")
    processor = built(host=host)
    for _ in range(2):
        processor.process(traces({**said(HARMLESS, ATTACK), "gen_ai.tool.call.result": SUSPECT}))
    assert parts(host, label="pass", origin="user") == 2
    assert parts(host, label="attack", origin="user", category="direct_injection") == 2
    assert parts(host, label="suspect", origin="tool", category="indirect") == 2
    assert metric_value(host, "penstock_adversarial_score_count", origin="user") == 2
    assert metric_value(host, "penstock_adversarial_duration_seconds_count", origin="tool") == 1


def test_texts_that_are_not_examined_are_counted() -> None:
    host = make_host("adversarial")
    built(host=host, origins=["user"]).process(traces({**said(HARMLESS, ""), "gen_ai.tool.call.result": SUSPECT}))
    assert metric_value(host, SKIPPED, reason="origin") == 1
    assert metric_value(host, SKIPPED, reason="empty") == 1
    assert metric_value(host, SKIPPED, reason="cached") == 0


def test_shadow_marks_and_counts_and_changes_nothing() -> None:
    host = make_host("adversarial")
    batch = traces({**said(ATTACK), "input.value": ATTACK})
    built(host=host, shadow=True).process(batch)
    assert ours(batch) == {
        "score": 0.9712,
        "label": "attack",
        "category": "direct_injection",
        "action": "drop_content",
        "shadow": True,
    }
    (event,) = events(batch)
    assert event["penstock.adversarial.action"] == "drop_content"
    assert event["penstock.adversarial.shadow"] is True
    assert batch.records()[0].attributes["input.value"] == ATTACK
    wanted = {"label": "attack", "origin": "user", "category": "direct_injection", "action": "drop_content"}
    assert parts(host, shadow="true", **wanted) == 1
    assert parts(host, shadow="true", **{**wanted, "action": "annotate"}) == 0


@pytest.mark.parametrize(("at", "left"), [("attack", SUSPECT), ("suspect", "<ADVERSARIAL>")])
def test_what_is_dropped_depends_on_the_label(at: str, left: str) -> None:
    host = make_host("adversarial")
    batch = traces(said(HARMLESS, SUSPECT, ATTACK))
    built(host=host, action="drop_content", drop_at=at).process(batch)
    (message,) = json.loads(str(batch.records()[0].attributes["gen_ai.input.messages"]))
    assert [part["content"] for part in message["parts"]] == [HARMLESS, left, "<ADVERSARIAL>"]
    assert ours(batch)["action"] == "drop_content"
    assert parts(host, label="attack", origin="user", category="direct_injection", action="drop_content") == 1


def test_copies_in_other_spans_of_the_trace_go_too() -> None:
    copy: dict[str, Value] = {"input.value": f"user: {ATTACK}"}
    batch = traces(said(ATTACK), copy, {**said(SUSPECT), **copy}, copy)
    for span, trace in zip(batch.records(), ("a", "a", "a", "b"), strict=True):
        span.pb.trace_id = trace.encode() * 16
    processor = built(action="drop_content")
    for window in batch.slices(lambda: 1):
        processor.process(window)
    values = [record.attributes.get("input.value") for record in batch.records()]
    assert values == [None, "user: <ADVERSARIAL>", "user: <ADVERSARIAL>", f"user: {ATTACK}"]
    assert ours(batch, 2)["label"] == "suspect", "it is scored before anything is taken out of it"
    assert ours(batch, 1) == {}


def test_where_a_text_cannot_be_taken_out_all_texts_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("not this one")

    monkeypatch.setattr("processors.adversarial.dropping.erase", fail)
    batch = traces({**said(ATTACK), "input.value": ATTACK, "gen_ai.request.model": "m"})
    built(action="drop_content").process(batch)
    span = batch.records()[0]
    assert isinstance(span, Span)
    assert {key.split(".")[0] for key in span.attributes} == {"penstock"}
    assert ours(batch)["label"] == "attack"
    assert (span.name, span.events) == ("", [])
