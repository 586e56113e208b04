"""Agents, workflows, tools, retrievals and requests of MCP: each counts once, with what is beneath it."""

from __future__ import annotations

import json

import pytest

from pipeline.signals import Value
from tests.unit.processors.gen_ai_metrics.counted import (
    CLIENT,
    SERVER,
    Made,
    counted,
    names,
    point,
    points,
    spans,
    sums,
)

CHAT: dict[str, Value] = {"gen_ai.operation.name": "chat", "penstock.gen_ai.role": "leaf"}
TOOL: dict[str, Value] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}
AGENT: dict[str, Value] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"}
DURATION, INFERENCES, TOOLS = (f"gen_ai.invoke_agent.{end}" for end in ("duration", "inference_calls", "tool_calls"))
RUN = [
    Made("c", CHAT, "s", (0.1, 0.4)),
    Made("s", {"app.step": "one"}, "a", (0.1, 0.5)),
    Made("d", CHAT, "t", (0.5, 0.55)),
    Made("t", TOOL, "a", (0.5, 0.6)),
    Made("a", AGENT, "", (0, 1)),
]


@pytest.mark.parametrize("cut", range(len(RUN)))
async def test_an_agent_knows_its_calls_however_requests_are_cut(cut: int) -> None:
    batch = await counted(*(spans(*part) for part in (RUN[:cut], RUN[cut:]) if part))
    labels, inferences = point(batch, INFERENCES)
    assert labels == {"gen_ai.agent.name": "clerk"}
    assert (inferences.count, inferences.sum) == (1, 2)
    assert point(batch, TOOLS)[1].sum == 1
    assert point(batch, DURATION)[1].sum == 1
    assert point(batch, "gen_ai.execute_tool.duration")[1].sum == pytest.approx(0.1)


async def test_the_order_within_a_request_does_not_matter() -> None:
    batch = await counted(spans(*reversed(RUN)))
    assert (point(batch, INFERENCES)[1].sum, point(batch, TOOLS)[1].sum) == (2, 1)


async def test_calls_of_an_agent_beneath_are_its_own() -> None:
    inner = AGENT | {"gen_ai.agent.name": "critic"}
    batch = await counted(
        spans(
            Made("c", CHAT, "b", (0.2, 0.3)),
            Made("b", inner, "a", (0.1, 0.4)),
            Made("d", CHAT, "a", (0.5, 0.6)),
            Made("a", AGENT),
        )
    )
    assert {labels["gen_ai.agent.name"]: pb.sum for labels, pb in points(batch, INFERENCES)} == {
        "critic": 1,
        "clerk": 1,
    }


async def test_second_reports_of_a_call_are_no_calls_of_an_agent() -> None:
    outer = CHAT | {"penstock.gen_ai.role": "duplicate"}
    batch = await counted(spans(Made("c", CHAT, "o", (0.2, 0.3)), Made("o", outer, "a", (0.1, 0.4)), Made("a", AGENT)))
    assert point(batch, INFERENCES)[1].sum == 1


@pytest.mark.parametrize(
    ("inner", "outer", "metric", "count"),
    [
        (AGENT, AGENT, DURATION, 1),
        (AGENT, AGENT | {"gen_ai.agent.name": "other"}, DURATION, 2),
        (AGENT, {"gen_ai.operation.name": "invoke_agent"}, DURATION, 1),
        (TOOL, TOOL | {"gen_ai.tool.name": "Weather"}, "gen_ai.execute_tool.duration", 1),
        (TOOL, TOOL | {"gen_ai.tool.name": "other"}, "gen_ai.execute_tool.duration", 2),
        (
            TOOL | {"gen_ai.tool.call.id": "1"},
            TOOL | {"gen_ai.tool.call.id": "2"},
            "gen_ai.execute_tool.duration",
            2,
        ),
        (
            {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "x"},
            {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "y"},
            "gen_ai.workflow.duration",
            1,
        ),
    ],
)
async def test_what_two_libraries_report_counts_once(
    inner: dict[str, Value], outer: dict[str, Value], metric: str, count: int
) -> None:
    made = [
        Made("i", inner, "m", (0.05, 0.95), scope="inner"),
        Made("m", {}, "o", (0.02, 0.98)),
        Made("o", outer, "", (0, 1), scope="outer"),
    ]
    for batches in ([spans(*made)], [spans(one) for one in made]):
        batch = await counted(*batches)
        assert sum(pb.count for _, pb in points(batch, metric)) == (2 if len(batches) == 3 and count == 2 else count)


async def test_one_library_may_nest_tools_of_a_name() -> None:
    batch = await counted(spans(Made("i", TOOL, "o", (0.1, 0.9)), Made("o", TOOL)))
    assert point(batch, "gen_ai.execute_tool.duration")[1].count == 2


async def test_errors_without_a_name_are_errors() -> None:
    batch = await counted(spans(Made("a", AGENT, failed=True), Made("c", CHAT, failed=True), Made("d", CHAT)))
    assert point(batch, DURATION)[0]["error.type"] == "_OTHER"
    assert sums(batch, "penstock.gen_ai.client.calls", "error.type") == {"_OTHER": 1, None: 1}


async def test_requests_of_mcp_have_their_own_metrics() -> None:
    call = TOOL | {"mcp.method.name": "tools/call"}
    batch = await counted(
        spans(
            Made("s", call, "c", (0.2, 0.3), kind=SERVER, scope="server"),
            Made("c", call, "t", (0.1, 0.4), kind=CLIENT, scope="sdk"),
            Made("t", TOOL, "a", (0.1, 0.5), scope="framework"),
            Made("l", {"mcp.method.name": "tools/list"}, "a", (0.6, 0.7), kind=CLIENT, scope="sdk"),
            Made("a", AGENT),
        )
    )
    clients = {labels["mcp.method.name"]: pb.count for labels, pb in points(batch, "mcp.client.operation.duration")}
    assert clients == {"tools/call": 1, "tools/list": 1}
    labels, server = point(batch, "mcp.server.operation.duration")
    assert (labels["gen_ai.tool.name"], server.count) == ("weather", 1)
    assert point(batch, "gen_ai.execute_tool.duration")[1].sum == pytest.approx(0.4)
    assert point(batch, TOOLS)[1].sum == 1


def retrieval(*scores: float) -> dict[str, Value]:
    documents = json.dumps([{"id": str(n), "score": score} for n, score in enumerate(scores)])
    return {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": documents}


async def test_retrievals_have_hits_and_scores() -> None:
    batch = await counted(
        spans(
            Made("a", retrieval(0.9, 0.25)), Made("b", retrieval()), Made("c", {"gen_ai.operation.name": "retrieval"})
        )
    )
    assert sums(batch, "penstock.gen_ai.retrieval.results", "penstock.retrieval.outcome") == {"hit": 1, "no_hit": 1}
    documents = point(batch, "penstock.gen_ai.retrieval.documents")[1]
    assert (documents.count, documents.sum, documents.bucket_counts[0]) == (2, 2, 1)
    scores = point(batch, "penstock.gen_ai.retrieval.score")[1]
    assert (scores.count, scores.sum) == (2, 1.15)
    assert point(batch, "gen_ai.client.operation.duration")[1].count == 3


async def test_a_retriever_around_a_store_is_one_retrieval() -> None:
    inner: dict[str, Value] = {"gen_ai.operation.name": "retrieval"}
    batch = await counted(
        spans(Made("i", inner, "o", (0.1, 0.9), scope="store"), Made("o", retrieval(0.5), scope="framework"))
    )
    assert point(batch, "gen_ai.client.operation.duration")[1].count == 1
    assert point(batch, "penstock.gen_ai.retrieval.score")[1].count == 1


async def test_scores_below_zero_count_and_have_no_sum() -> None:
    scores = point(await counted(spans(Made("a", retrieval(-0.5, 0.5)))), "penstock.gen_ai.retrieval.score")[1]
    assert (scores.count, scores.bucket_counts[0], scores.HasField("sum")) == (2, 1, False)


@pytest.mark.parametrize("said", ["{", '"x"', "[" * 3000, 5, "[" + "1," * 200_000 + "1]"])
async def test_documents_that_cannot_be_read_are_passed_over(said: Value) -> None:
    batch = await counted(spans(Made("a", retrieval() | {"gen_ai.retrieval.documents": said})))
    assert "penstock.gen_ai.retrieval.documents" not in names(batch)
    assert point(batch, "gen_ai.client.operation.duration")[1].count == 1


async def test_a_reranker_is_a_call_whose_documents_have_scores() -> None:
    rerank = retrieval(0.7) | {"gen_ai.operation.name": "rerank", "penstock.gen_ai.role": "leaf"}
    batch = await counted(spans(Made("a", rerank)))
    assert point(batch, "penstock.gen_ai.retrieval.score")[0]["gen_ai.operation.name"] == "rerank"
    assert point(batch, "penstock.gen_ai.client.calls")[1].as_int == 1
    assert "penstock.gen_ai.retrieval.results" not in names(batch)
    assert point(batch, "gen_ai.client.operation.duration")[1].count == 1


@pytest.mark.parametrize("role", ["leaf", "duplicate"])
async def test_a_server_is_told_by_its_queue_where_nothing_else_says_it(role: str) -> None:
    """TGI's spans have no kind, and no time of a first token."""
    queued = CHAT | {"penstock.latency.server.queue_time": 0.02, "penstock.gen_ai.role": role}
    batch = await counted(spans(Made("s", queued, times=(0.1, 0.9))))
    assert point(batch, "penstock.gen_ai.server.queue_time")[1].sum == 0.02


async def test_what_a_server_says_of_a_call_is_its_own() -> None:
    served: dict[str, Value] = {
        "penstock.gen_ai.role": "duplicate",
        "penstock.latency.server.time_to_first_token": 0.1,
        "penstock.latency.server.queue_time": 0.02,
        "penstock.latency.time_per_output_token": 0.01,
        "gen_ai.usage.input_tokens": 5,
    }
    batch = await counted(spans(Made("s", CHAT | served, "c", (0.1, 0.9), kind=SERVER), Made("c", CHAT, kind=CLIENT)))
    assert point(batch, "gen_ai.server.request.duration")[1].sum == pytest.approx(0.8)
    assert point(batch, "gen_ai.server.time_to_first_token")[1].sum == 0.1
    assert point(batch, "gen_ai.server.time_per_output_token")[1].sum == 0.01
    assert point(batch, "penstock.gen_ai.server.queue_time")[1].sum == 0.02
    assert point(batch, "penstock.gen_ai.client.calls")[1].as_int == 1
    assert "gen_ai.client.token.usage" not in names(batch)


async def test_a_server_times_tokens_of_success_only() -> None:
    failed = CHAT | {"penstock.latency.server.time_to_first_token": 0.1, "error.type": "500"}
    batch = await counted(spans(Made("s", failed, kind=SERVER)))
    assert "gen_ai.server.time_to_first_token" not in names(batch)
    assert point(batch, "gen_ai.server.request.duration")[0]["error.type"] == "500"


async def test_an_agent_that_counts_in_the_place_of_its_calls_is_a_run_of_an_agent_too() -> None:
    lone = AGENT | {"penstock.gen_ai.role": "leaf", "gen_ai.usage.input_tokens": 7, "penstock.redaction.count": 2}
    batch = await counted(spans(Made("a", lone)))
    assert point(batch, "gen_ai.client.token.usage")[1].sum == 7
    assert point(batch, DURATION)[1].count == 1
    assert point(batch, "penstock.gen_ai.redactions")[1].as_int == 2


async def test_other_operations_of_clients_have_a_duration() -> None:
    batch = await counted(spans(Made("m", {"gen_ai.operation.name": "search_memory"})))
    assert point(batch, "gen_ai.client.operation.duration")[0]["gen_ai.operation.name"] == "search_memory"
