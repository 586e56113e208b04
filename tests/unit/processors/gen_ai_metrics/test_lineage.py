"""What waits for its parent is bounded, and loops end."""

from __future__ import annotations

from processors.gen_ai_metrics.lineage import GENERATION_S, Lineage, Report, climb
from tests.unit.processors.gen_ai_metrics.counted import Made, counted, point, spans

AGENT = Report("agent", "clerk", "lib", "", 1.0, has_documents=False, is_mcp=False)


def test_what_waits_is_bounded_in_number() -> None:
    lineage = Lineage()
    for start in range(0, 200_000, 1000):
        lineage.calls([n.to_bytes(8, "big") for n in range(start, start + 1000)], {}, ())
        lineage.forget(0.0)
    assert len(lineage) <= 2 * 21_000
    assert lineage.arrive((199_999).to_bytes(8, "big"), b"", AGENT)[0].inference_calls == 1
    assert lineage.arrive((0).to_bytes(8, "big"), b"", AGENT)[0].inference_calls == 0


def test_what_waits_is_forgotten_with_time() -> None:
    lineage = Lineage()
    lineage.calls([b"a"], {}, ())
    lineage.forget(GENERATION_S + 1)
    lineage.calls([b"a"], {}, ())
    assert lineage.arrive(b"a", b"", AGENT)[0].inference_calls == 2, "both generations count"
    lineage.calls([b"b"], {}, ())
    for generation in (2, 3):
        lineage.forget(generation * (GENERATION_S + 1))
    assert lineage.arrive(b"b", b"", AGENT)[0].inference_calls == 0
    assert len(lineage) == 0


def test_a_loop_of_parents_ends() -> None:
    assert climb({b"a": b"b", b"b": b"a"}, b"a", ()) in {b"a", b"b"}


async def test_spans_that_are_their_own_parents_count() -> None:
    agent = {"gen_ai.operation.name": "invoke_agent"}
    batch = await counted(spans(Made("a", dict(agent), "b"), Made("b", dict(agent), "a"), Made("c", {}, "c")))
    assert point(batch, "gen_ai.invoke_agent.duration")[1].count == 2


async def test_an_agent_of_a_large_request_knows_its_calls() -> None:
    call = {"gen_ai.operation.name": "chat"}
    calls = [Made(f"c{n}", dict(call), "a", (0.1, 0.2)) for n in range(3000)]
    batch = await counted(spans(Made("a", {"gen_ai.operation.name": "invoke_agent"}), *calls))
    assert point(batch, "gen_ai.invoke_agent.inference_calls")[1].sum == 3000
