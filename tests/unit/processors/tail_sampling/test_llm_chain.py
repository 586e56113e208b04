"""The configuration that is shown for LLM applications, run: what leaves, by which rule, with which weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.signals import Batch, Signal
from pipeline.testing import run_processors, trace_request
from pipeline.testing.pipeline import RunningPipeline

EXAMPLE = Path(__file__).parents[4] / "configs" / "overlays" / "sampling.yaml"
SNIPPET = EXAMPLE.read_text().partition("processors:\n")[2].partition("\nservice:")[0]
LUCKY, UNLUCKY = b"\xff" * 16, bytes(15) + b"\1"
RESULT = "gen_ai.evaluation.result"


async def send(pipeline: RunningPipeline, trace_id: bytes, attributes: dict[str, Any], **event: Any) -> None:
    request = trace_request(attributes, resource={"service.name": "shop", "tenant.id": "a"})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id = trace_id
    if event:
        holder = trace_request({key.replace("__", "."): value for key, value in event.items()})
        span.events.add(name=RESULT, attributes=holder.resource_spans[0].scope_spans[0].spans[0].attributes)
    await pipeline.send(Batch.of_message(request, Signal.TRACES))


async def left(pipeline: RunningPipeline) -> list[dict[str, Any]]:
    for _ in range(8):
        await pipeline.clock.advance(1)
    return [dict(record.attributes) for batch in pipeline.sink.batches for record in batch.records()]


KEPT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("attack", {"penstock.adversarial.label": "attack"}, {}),
    ("expensive", {"penstock.cost.usd": 1.5}, {}),
    ("refused-or-cut", {"gen_ai.response.finish_reasons": ["content_filter"]}, {}),
    ("thumbs-down", {}, {"gen_ai__evaluation__name": "user_feedback", "gen_ai__evaluation__score__value": -1.0}),
    ("low-evaluation", {}, {"gen_ai__evaluation__name": "relevance", "gen_ai__evaluation__score__value": 0.2}),
    ("low-evaluation", {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.2}, {}),
    ("prompt-versions", {"gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "7"}, {}),
]


@pytest.mark.parametrize(("rule", "attributes", "event"), KEPT)
async def test_what_matters_is_kept_and_stands_for_itself(
    rule: str, attributes: dict[str, Any], event: dict[str, Any]
) -> None:
    async with run_processors(SNIPPET) as pipeline:
        await send(pipeline, UNLUCKY, attributes, **event)
        (said,) = await left(pipeline)
        assert said["penstock.sampling.adjusted_count"] == 1.0
        assert said["penstock.sampling.rule"] == f"all/{rule}"


async def test_the_rest_is_kept_by_chance_and_stands_for_fifty() -> None:
    async with run_processors(SNIPPET) as pipeline:
        await send(pipeline, UNLUCKY, {"gen_ai.operation.name": "chat"})
        await send(pipeline, LUCKY, {"gen_ai.operation.name": "chat"})
        (said,) = await left(pipeline)
        assert said["penstock.sampling.adjusted_count"] == pytest.approx(50, rel=0.001)
        assert said["penstock.sampling.rule"] == "all/baseline"
        assert pipeline.sink.batches[0].records()[0].pb.trace_state == "ot=th:fae148"
