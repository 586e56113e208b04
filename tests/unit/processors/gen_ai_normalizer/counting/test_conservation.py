"""Properties: whatever tree of spans reports calls, in whatever order and batches, the tokens of each count once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Batch, Signal, Span
from pipeline.signals.values import set_any_value
from pipeline.testing import START_NS, configured
from processors.gen_ai_normalizer import GenAiNormalizer
from tests.unit.processors.gen_ai_normalizer.counting.test_roles import Seen

_S = 1_000_000_000


@dataclass(frozen=True)
class Layer:
    """Who reports a call: an instrumentation in a process."""

    scope: str
    process: str = "shop"
    kind: int = 3
    knows_response: bool = True


CLIENTS = (
    Layer("opentelemetry.instrumentation.openai.v1"),
    Layer("openinference.instrumentation.openai", kind=1),
    Layer("opentelemetry.instrumentation.openai_v2"),
    Layer("custom", knows_response=False),
)
FRAMEWORKS = (
    Layer("opentelemetry.instrumentation.langchain"),
    Layer("openinference.instrumentation.langchain", kind=1),
    Layer("agent_framework", knows_response=False),
)
SERVERS = (
    Layer("litellm", process="proxy", kind=2),
    Layer("agentgateway", process="gateway", kind=2, knows_response=False),
    Layer("vllm.llm_engine", process="gpu", kind=2, knows_response=False),
)


@dataclass(frozen=True)
class Sent:
    """A span on its way."""

    layer: Layer
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    start_ns: int
    end_ns: int
    attributes: tuple[tuple[str, Any], ...]


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[list[Sent]], int, int]:
    """Batches of spans; how many calls they report, and how many tokens these took.

    Calls of one trace stand one behind the other or overlap; each is seen by a client, or only by a server, and by any
    frameworks around and servers below it, whose spans are linked, or have spans between that nobody sends. Where calls
    at the same time have the same counts, each is reported twice at most: three reports of each, of which some name the
    response and some are linked, can be sorted out only when all have arrived.
    """
    spans: list[Sent] = []
    calls = draw(st.integers(1, 6))
    one_size = draw(st.booleans())
    client = draw(st.sampled_from(CLIENTS))
    around = draw(st.lists(st.sampled_from(FRAMEWORKS), unique=True, max_size=2))
    below = draw(st.lists(st.sampled_from(SERVERS), unique=True, max_size=2))
    if one_size:
        around, below = (around[:1], []) if around else ([], below[:1])
    tokens = 0
    for number in range(calls):
        trace = draw(st.integers(1, 2)).to_bytes(16, "big")
        counted = (50, 20) if one_size else (50 + 7 * number, 20 + 3 * number)
        tokens += sum(counted)
        start = START_NS + draw(st.integers(0, 3)) * _S
        parent = b"\x09" * 8
        for depth, layer in enumerate((*around, client, *below)):
            own = (number * 100 + depth + 1).to_bytes(8, "big")
            linked = draw(st.booleans())
            inset = depth * 10_000_000
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": counted[0],
                "gen_ai.usage.output_tokens": counted[1],
            }
            if layer.knows_response:
                attributes["gen_ai.response.id"] = f"chatcmpl-{number}"
            above = parent if linked else (number * 100 + 50 + depth).to_bytes(8, "big")
            times = start + inset, start + _S - inset
            spans.append(Sent(layer, trace, own, above, *times, tuple(attributes.items())))
            parent = own
    order = draw(st.permutations(spans))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    edges = [0, *cuts, len(order)]
    return [list(order[a:b]) for a, b in itertools.pairwise(edges) if a < b], calls, tokens


def batch(spans: list[Sent]) -> Batch:
    request = ExportTraceServiceRequest()
    for sent in spans:
        group = request.resource_spans.add()
        name = group.resource.attributes.add(key="service.name")
        set_any_value(name.value, sent.layer.process)
        scope = group.scope_spans.add()
        scope.scope.name = sent.layer.scope
        span = scope.spans.add(
            trace_id=sent.trace_id,
            span_id=sent.span_id,
            parent_span_id=sent.parent_id,
            name="chat",
            kind=sent.layer.kind,
            start_time_unix_nano=sent.start_ns,
            end_time_unix_nano=sent.end_ns,
        )
        for key, value in sent.attributes:
            set_any_value(span.attributes.add(key=key).value, value)
    return Batch.of_message(request, Signal.TRACES)


def counted(leaves: list[Span]) -> int:
    keys = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
    return sum(int(str(leaf.attributes[key])) for leaf in leaves for key in keys)


@settings(max_examples=300, deadline=None)
@given(trees())
def test_tokens_of_leaves_are_the_tokens_of_the_calls(tree: tuple[list[list[Sent]], int, int]) -> None:
    batches, calls, tokens = tree
    seen = Seen()
    spans = [span for sent in batches for span in batch(sent).records() if isinstance(span, Span)]
    leaves = [span for span in spans if seen(span) == "leaf"]
    assert len(leaves) == calls
    assert counted(leaves) == tokens


@settings(max_examples=25, deadline=None)
@given(trees())
def test_what_comes_again_or_passes_again_adds_nothing(tree: tuple[list[list[Sent]], int, int]) -> None:
    """Batches are sent again when their answer was lost; and a second processor gets what the first has marked."""
    batches, _, _ = tree
    first, second = configured(GenAiNormalizer), configured(GenAiNormalizer)
    once = [first.process(batch(spans)).serialize() for spans in batches]
    assert [first.process(batch(spans)).serialize() for spans in batches] == once
    again = [Batch.of_message(ExportTraceServiceRequest.FromString(data), Signal.TRACES) for data in once]
    assert [second.process(marked).serialize() for marked in again] == once
