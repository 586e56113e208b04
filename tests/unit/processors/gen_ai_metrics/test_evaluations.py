"""Results of evaluations and users' feedback find the call they are about, whenever they come."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signals import Batch, Value
from pipeline.testing import CollectingSink, FakeClock, logs
from processors.gen_ai_metrics.bundles import Place
from processors.gen_ai_metrics.joins import Calls, Result, Waiting
from processors.gen_ai_metrics.twice import Source, Twice
from processors.marks import ADVERSARIAL_INPUT
from tests.unit.processors.gen_ai_metrics.counted import Made, connector, counted, names, point, points, spans, sums

CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.response.id": "r1",
    "gen_ai.prompt.name": "greeting",
    "penstock.gen_ai.role": "leaf",
}
FEEDBACK: dict[str, Value] = {
    "gen_ai.evaluation.name": "user_feedback",
    "gen_ai.evaluation.score.value": 1.0,
    "gen_ai.evaluation.score.label": "good",
}
EVENT = "gen_ai.evaluation.result"
SCORE, RESULTS = "penstock.gen_ai.evaluation.score", "penstock.gen_ai.evaluation.results"
PROMPT: dict[str, Any] = {"dimensions": ["gen_ai.prompt.name"]}
JOINED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.prompt.name": "greeting",
    "gen_ai.evaluation.name": "user_feedback",
    "gen_ai.evaluation.score.label": "good",
}


def call() -> Batch:
    return spans(Made("c", CALL, "a"))


def log(attributes: dict[str, Value], body: Value = None, span: str = "") -> Batch:
    batch = logs(body, attributes=attributes, resource={"service.name": "shop"})
    for record in batch.records():
        record.pb.event_name = EVENT if body is not None else ""
        if span:
            record.pb.trace_id, record.pb.span_id = (1).to_bytes(16, "big"), span.encode().rjust(8, b"-")
    return batch


WAYS = {
    "event of the call's span": lambda: spans(Made("c", CALL, "a", events=[(EVENT, 0.5, FEEDBACK)])),
    "event of another span, by response": lambda: spans(
        Made("f", {}, events=[(EVENT, 0.5, FEEDBACK | {"gen_ai.response.id": "r1"})])
    ),
    "event of a child": lambda: spans(Made("f", {}, "c", events=[(EVENT, 0.5, FEEDBACK)])),
    "event of a span with a link": lambda: spans(Made("f", {}, trace=2, links=("c",), events=[(EVENT, 0.5, FEEDBACK)])),
    "attributes of another span, by response": lambda: spans(Made("f", FEEDBACK | {"gen_ai.response.id": "r1"})),
    "attributes of a child": lambda: spans(Made("f", FEEDBACK, "c")),
    "log by response": lambda: log(FEEDBACK | {"gen_ai.response.id": "r1"}),
    "log of the span": lambda: log(FEEDBACK, span="c"),
    "log with a body": lambda: log({}, {**FEEDBACK, "gen_ai.response.id": "r1"}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("order", ["before", "after"])
async def test_a_result_has_the_labels_of_its_call(way: str, order: str) -> None:
    batches = [WAYS[way]()]
    if way != "event of the call's span":
        batches.insert(0 if order == "after" else 1, call())
    batch = await counted(*batches, **PROMPT)
    labels, score = point(batch, SCORE)
    assert labels == JOINED
    assert (score.count, score.sum) == (1, 1.0)
    assert point(batch, RESULTS)[1].as_int == 1
    assert point(batch, "penstock.gen_ai.client.calls")[1].as_int == 1


async def test_results_of_one_request_are_found_in_any_order() -> None:
    batch = await counted(spans(Made("f", FEEDBACK, "c"), Made("c", CALL)), **PROMPT)
    assert point(batch, SCORE)[0] == JOINED


async def test_a_result_may_be_about_an_agent() -> None:
    agent: dict[str, Value] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"}
    batch = await counted(spans(Made("a", agent)), spans(Made("f", FEEDBACK, "a")), dimensions=["gen_ai.agent.name"])
    assert point(batch, SCORE)[0]["gen_ai.agent.name"] == "clerk"


async def test_a_result_that_finds_no_call_counts_without_its_labels() -> None:
    clock, sink = FakeClock(), CollectingSink()
    metrics = connector(sink, clock, joins={"wait": 60.0})
    await metrics.consume(spans(Made("f", FEEDBACK | {"gen_ai.response.id": "other"})))
    await metrics.flush()
    assert not sink.batches
    await clock.advance(61)
    await metrics.flush()
    assert point(sink.batches[0], SCORE)[0] == {
        "gen_ai.evaluation.name": "user_feedback",
        "gen_ai.evaluation.score.label": "good",
    }
    await metrics.consume(spans(Made("c", CALL | {"gen_ai.response.id": "other"})))
    await metrics.flush()
    assert sum(pb.count for _, pb in points(sink.batches[-1], SCORE)) == 1, "it does not count again"


async def test_a_result_about_nothing_counts_at_once() -> None:
    sink = CollectingSink()
    metrics = connector(sink)
    await metrics.consume(log(FEEDBACK))
    await metrics.flush()
    assert point(sink.batches[0], SCORE)[1].count == 1


async def test_results_without_a_score_count_by_label() -> None:
    said: dict[str, Value] = {"gen_ai.evaluation.name": "toxicity", "gen_ai.evaluation.score.label": "pass"}
    batch = await counted(spans(Made("f", said)))
    assert sums(batch, RESULTS, "gen_ai.evaluation.score.label") == {"pass": 1}
    assert SCORE not in names(batch)


async def test_what_was_found_in_the_texts_of_a_judge_does_not_stand_for_what_it_judged() -> None:
    found: dict[str, Value] = {
        "gen_ai.evaluation.name": ADVERSARIAL_INPUT,
        "gen_ai.evaluation.score.value": 0.95,
        "gen_ai.evaluation.score.label": "attack",
    }
    batch = await counted(call(), spans(Made("f", FEEDBACK, "c", events=[(EVENT, 0.5, found)])))
    assert sums(batch, RESULTS, "gen_ai.evaluation.name") == {"user_feedback": 1, "adversarial_input": 1}


@pytest.mark.parametrize(
    "said",
    [
        {"gen_ai.evaluation.name": "x"},
        {"gen_ai.evaluation.name": 5, "gen_ai.evaluation.score.value": 1.0},
        {"gen_ai.evaluation.score.value": 1.0},
    ],
)
async def test_what_is_no_result_does_not_count(said: dict[str, Value]) -> None:
    batch = await counted(call(), spans(Made("f", said, events=[(EVENT, 0.5, said)])), log(said, {**said}))
    assert RESULTS not in names(batch)


async def test_the_name_of_the_prompt_is_that_of_the_call_and_not_of_the_judge() -> None:
    judge = FEEDBACK | {"gen_ai.response.id": "r1", "gen_ai.prompt.name": "judge", "gen_ai.response.model": "o3"}
    assert point(await counted(call(), spans(Made("f", judge)), **PROMPT), SCORE)[0] == JOINED


async def test_a_reload_forgets_no_calls() -> None:
    sink = CollectingSink()
    before = connector(sink)
    await before.consume(call())
    after = type(before)(before.config, before.host)
    after.connect(before.next)
    await before.stop()
    await after.consume(log(FEEDBACK | {"gen_ai.response.id": "r1"}))
    await after.stop()
    assert point(sink.batches[-1], SCORE)[0]["gen_ai.response.model"] == "gpt-4o"


def seen(start: int, count: int) -> tuple[list[bytes], list[Any], list[Any]]:
    numbers = range(start, start + count)
    return [n.to_bytes(8, "big") for n in numbers], [f"chatcmpl-{n:029}" for n in numbers], [{"model": "m"}] * count


def test_calls_are_forgotten_by_size_and_age() -> None:
    calls = Calls()
    for start in range(0, 20_000, 100):
        calls.remember(seen(start, 100), 1)
        calls.forget(0.0, max_bytes=1 << 20, remember_s=60.0)
    assert len(calls) < (1 << 20) / 400
    assert calls.find([f"chatcmpl-{19_999:029}"]) == {"model": "m"}
    assert calls.find([(0).to_bytes(8, "big")]) is None
    calls.forget(61.0, max_bytes=1 << 20, remember_s=60.0)
    assert calls.find([f"chatcmpl-{19_999:029}"]) is not None, "for at least so long"
    calls.forget(122.0, max_bytes=1 << 20, remember_s=60.0)
    assert calls.find([f"chatcmpl-{19_999:029}"]) is None


def test_no_more_than_the_memory_allows_waits() -> None:
    waiting = Waiting(max_bytes=15_000)
    place = Place((), {}, ())
    results = [Result((f"r{n}", n.to_bytes(8, "big")), place, {}, ()) for n in range(30)]
    for result in results:
        waiting.add(result, 60.0)
    assert waiting.due(0.0) == results[:20]
    assert [found for found, _ in waiting.take(([b"", (25).to_bytes(8, "big")], ["r25", None], [{}, {}]))] == [
        results[25]
    ]
    assert waiting.due(60.0) == [*results[20:25], *results[26:]]
    assert len(waiting) == 0


BY_RESPONSE = FEEDBACK | {"gen_ai.response.id": "r1"}
REPORTS: dict[str, Any] = {
    "event": lambda: spans(Made("c", CALL, "a", events=[(EVENT, 0.5, FEEDBACK)])),
    "span": lambda: spans(Made("f", BY_RESPONSE, "c")),
    "log": lambda: log(BY_RESPONSE, {}, span="f"),
    "log of the span": lambda: log(FEEDBACK, {}, span="c"),
    "other score": lambda: log(BY_RESPONSE | {"gen_ai.evaluation.score.value": 0.5}, {}),
    "other name": lambda: log(BY_RESPONSE | {"gen_ai.evaluation.name": "tone"}, {}),
    "other response": lambda: log(BY_RESPONSE | {"gen_ai.response.id": "r2"}, {}),
    "about nothing": lambda: log(FEEDBACK, {}),
}


@pytest.mark.parametrize(
    ("reports", "results"),
    [
        (["event", "log"], 1),
        (["log", "event"], 1),
        (["span", "log"], 1),
        (["event", "log of the span"], 1),
        (["event", "event"], 2),
        (["log", "log", "log"], 3),
        (["log", "log", "event"], 2),
        (["event", "log", "event", "log"], 2),
        (["event", "other score"], 2),
        (["event", "other name"], 2),
        (["event", "other response"], 2),
        (["event", "about nothing", "about nothing"], 3),
    ],
)
async def test_a_result_that_a_span_and_a_log_record_report_counts_once(reports: list[str], results: int) -> None:
    batch = await counted(*[REPORTS[report]() for report in reports])
    assert sum(sums(batch, RESULTS, "x").values()) == results


def test_what_came_is_forgotten_by_number_and_age() -> None:
    twice = Twice()
    for number in range(100_000):
        assert not twice.is_known(Source.SPAN, [b"a"], (number,))
        twice.forget(0.0, remember_s=60.0)
    assert len(twice) < 20_000
    assert twice.is_known(Source.LOG, [b"a"], (99_999,))
    assert not twice.is_known(Source.LOG, [b"a"], (0,))
    for now_s in (61.0, 122.0):
        twice.forget(now_s, remember_s=60.0)
    assert not twice.is_known(Source.LOG, [b"a"], (99_998,))
