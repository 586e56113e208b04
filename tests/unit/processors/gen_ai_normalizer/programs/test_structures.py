"""Documents, prompt variables and evaluations, by rules written here: what a dialect's file can ask for."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from pipeline.signals import LogRecord, Record, Span, Value
from pipeline.testing import START_NS, logs, traces
from processors.gen_ai_normalizer.knowledge.rules import load_rules, parse_rules
from processors.gen_ai_normalizer.programs.cache import ProgramCache
from processors.gen_ai_normalizer.programs.compilation import DialectOptions
from processors.gen_ai_normalizer.programs.compiler import Compiler
from processors.gen_ai_normalizer.programs.recognition import ScopeId
from processors.gen_ai_normalizer.reading.beside import Beside, of_log, of_span

Events = list[tuple[str, dict[str, Value]]]
Tally = Counter[str]


def run(rules: str, record: Record, originals: str = "keep") -> tuple[dict[str, Any], Tally]:
    """The attributes of a record after the rules of a dialect `x`, whose scope is `test`."""
    dialect = parse_rules("dialect: x\nscopes: [{name: test}]\n" + rules, "test")
    compiler = Compiler([load_rules()[0], dialect], "1.41", {}, DialectOptions(originals=originals))
    beside: Beside | None
    if isinstance(record, LogRecord):
        beside = of_log(record, record.attributes, compiler.wanted) or Beside()
        beside.add_body(record.body)
    else:
        assert isinstance(record, Span)
        beside = of_span(record, compiler.wanted)
    program = ProgramCache(compiler).find(ScopeId("test", "", ""), record.attributes, None, beside)
    assert program is not None
    tally: Tally = Counter()
    program.run(record, record.attributes, beside, tally)
    return dict(record.attributes), tally


def span(attributes: dict[str, Value], events: Events = []) -> Span:  # noqa: B006 - it is only read
    (record,) = traces(attributes).records()
    assert isinstance(record, Span)
    for name, fields in events:
        record.add_event(name, START_NS, fields)
    return record


FIELDS = "fields: {id: [document.id, id], score: [document.score, distance], content: [document.content, page_content]}"


@pytest.mark.parametrize(
    ("rule", "attributes", "events"),
    [
        pytest.param(
            "flattened: r.",
            {"r.0.document.id": "a", "r.0.document.score": "0.5", "r.0.document.content": "x"},
            [],
            id="indexed keys",
        ),
        pytest.param("json: out", {"out": '[{"id": "a", "distance": 0.5, "page_content": "x"}]'}, [], id="JSON"),
        pytest.param(
            "json: out#result",
            {"out": '{"result": {"documents": [{"id": "a", "distance": 0.5, "page_content": "x"}]}}'},
            [],
            id="JSON inside",
        ),
        pytest.param(
            "events: [db.result]",
            {},
            [("db.result", {"id": "a", "distance": 0.5, "page_content": "x", "vector": "1,2"})],
            id="events",
        ),
    ],
)
def test_documents_come_out_in_one_form(rule: str, attributes: dict[str, Value], events: Events) -> None:
    found, _ = run(f"documents: [{{{rule}, {FIELDS}}}]", span(attributes, events))
    assert json.loads(found["gen_ai.retrieval.documents"]) == [{"id": "a", "score": 0.5, "content": "x"}]


def test_documents_without_a_list_of_fields_are_kept_but_for_their_vectors() -> None:
    record = span({"out": '[{"id": 1, "text": "x", "embedding": [1, 2], "none": null}, "y", 3]'})
    found, _ = run("documents: [{json: out}]", record)
    assert json.loads(found["gen_ai.retrieval.documents"]) == [{"id": 1, "text": "x"}, {"content": "y"}]


def test_documents_of_the_record_itself_stay() -> None:
    own = '[{"id":"own"}]'
    found, _ = run("documents: [{json: out}]", span({"gen_ai.retrieval.documents": own, "out": '[{"id": "a"}]'}))
    assert found["gen_ai.retrieval.documents"] == own


def test_what_is_no_list_of_documents_is_counted() -> None:
    found, tally = run("documents: [{json: out}]", span({"out": "nothing"}))
    assert "gen_ai.retrieval.documents" not in found
    assert tally["unmapped"] == 1


def test_prompt_variables_are_attributes_by_name() -> None:
    rules = "prompt_variables: [{json: vars}, {prefix: p.var.}]"
    found, _ = run(rules, span({"vars": '{"city": "Bergen", "days": 3}', "p.var.tone": "kind"}))
    variables = {key: value for key, value in found.items() if key.startswith("gen_ai.prompt.variable.")}
    assert variables == {
        "gen_ai.prompt.variable.city": "Bergen",
        "gen_ai.prompt.variable.days": "3",
        "gen_ai.prompt.variable.tone": "kind",
    }


def test_prompt_variables_are_taken_out_with_the_originals() -> None:
    rules = "prompt_variables: [{json: vars}, {prefix: p.var.}]"
    found, _ = run(rules, span({"vars": '{"city": "Bergen"}', "p.var.tone": "kind"}), originals="drop")
    assert not {"vars", "p.var.tone"} & found.keys()


@pytest.mark.parametrize(
    ("rule", "attributes"),
    [
        ("flattened: ann., name: [name], score: [result.score], label: [label], explanation: [why]",
         {"ann.0.name": "toxicity", "ann.0.result.score": 0.25, "ann.0.label": "low", "ann.0.why": "kind words"}),
        ("json: evals, name: [n], score: [s], label: [l], explanation: [e]",
         {"evals": '[{"n": "toxicity", "s": "0.25", "l": "low", "e": "kind words"}]'}),
        ("name: [ev.name], score: [ev.score], label: [ev.label], explanation: ['ev.more#why']",
         {"ev.name": "toxicity", "ev.score": 0.25, "ev.label": "low", "ev.more": '{"why": "kind words"}'}),
    ],
)  # fmt: skip
def test_evaluations_become_span_events(rule: str, attributes: dict[str, Value]) -> None:
    record = span(attributes)
    run(f"evaluations: [{{{rule}}}]", record)
    (event,) = record.events
    assert event.name == "gen_ai.evaluation.result"
    assert event.time_unix_nano == record.end_time_unix_nano
    assert event.attributes == {
        "gen_ai.evaluation.name": "toxicity",
        "gen_ai.evaluation.score.value": 0.25,
        "gen_ai.evaluation.score.label": "low",
        "gen_ai.evaluation.explanation": "kind words",
    }


def test_feedback_of_a_user_is_an_evaluation_by_that_name() -> None:
    record = span({"thumbs": True})
    run("evaluations: [{feedback: true, score: [thumbs], label: [thumbs]}]", record)
    assert record.events[0].attributes == {
        "gen_ai.evaluation.name": "user_feedback",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "true",
    }


def test_an_evaluation_that_the_span_has_already_is_not_added() -> None:
    known: dict[str, Value] = {"gen_ai.evaluation.name": "a", "gen_ai.evaluation.score.value": 1.0, "x": "more"}
    record = span({"n": "a", "s": 1}, [("gen_ai.evaluation.result", known)])
    run("evaluations: [{name: [n], score: [s]}]", record)
    assert len(record.events) == 1


def test_an_evaluation_of_a_log_record_is_in_its_attributes() -> None:
    (record,) = logs({"result": {"name": "a", "score": 0.5}}).records()
    found, _ = run("evaluations: [{json: 'body:result', name: [name], score: [score]}]", record)
    assert found["gen_ai.evaluation.name"] == "a"
    assert found["gen_ai.evaluation.score.value"] == 0.5


def test_an_evaluation_without_a_name_or_a_result_is_none() -> None:
    record = span({"n": "a", "s": 1})
    run("evaluations: [{score: [s]}, {name: [n], label: [none]}]", record)
    assert record.events == []


def test_a_source_may_be_an_attribute_of_an_event() -> None:
    rules = """
attributes:
  gen_ai.response.id: ["event(done):id"]
  gen_ai.response.model: ["event(done):more#model"]
"""
    record = span({}, [("done", {"id": "r1", "more": '{"model": "m"}'}), ("done", {"id": "second"}), ("other", {})])
    found, _ = run(rules, record)
    assert (found["gen_ai.response.id"], found["gen_ai.response.model"]) == ("r1", "m")


def test_a_source_may_be_a_place_in_the_body() -> None:
    rules = """
attributes:
  gen_ai.response.id: ["body:id"]
  gen_ai.request.model: [model]
  gen_ai.usage.input_tokens: ["body:#usage.in"]
"""
    (record,) = logs('{"id": "r1", "model": "m", "usage": {"in": 3}}').records()
    found, _ = run(rules, record)
    assert (found["gen_ai.response.id"], found["gen_ai.request.model"], found["gen_ai.usage.input_tokens"]) == (
        "r1",
        "m",
        3,
    )


def test_a_condition_may_ask_for_an_event() -> None:
    rules = """
cases:
  - present: ["event(done):"]
    attributes: {gen_ai.response.id: ["event(done):id"]}
"""
    assert run(rules, span({}, [("done", {"id": "r1"})]))[0]["gen_ai.response.id"] == "r1"


def test_the_operation_may_be_read_from_the_name_of_the_span_alone() -> None:
    rules = "attributes: {gen_ai.operation.name: {from: [opentelemetry.span.name], map: {call: chat}}}\n"
    rules += "roles: [{when: {opentelemetry.span.name: call}, role: leaf}]"
    dialect = parse_rules("dialect: x\nscopes: [{name: test}]\n" + rules, "test")
    compiler = Compiler([load_rules()[0], dialect], "1.41", {}, DialectOptions())
    record = span({"a": 1})
    record.name = "call"
    program = ProgramCache(compiler).find(ScopeId("test", "", ""), record.attributes, record)
    assert program is not None
    assert (program.operation, program.role) == ("chat", "leaf")
