"""Hypothesis strategies: calls of models in the conventions' attributes, and what is asked of them."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from pipeline import registry
from pipeline.component import Processor
from pipeline.registry import Kind
from pipeline.signals import Batch, Value
from pipeline.testing import configured, make_host, traces

Attributes = dict[str, Value]

INPUT: Final = "gen_ai.usage.input_tokens"
OUTPUT: Final = "gen_ai.usage.output_tokens"
READ: Final = "gen_ai.usage.cache_read.input_tokens"
WRITE: Final = "gen_ai.usage.cache_creation.input_tokens"
LONG_WRITE: Final = "penstock.gen_ai.usage.cache_creation_1h.input_tokens"
AUDIO_INPUT: Final = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT: Final = "gen_ai.usage.audio.output_tokens"
USD: Final = "penstock.cost.usd"
PARTS: Final = tuple(f"penstock.cost.{part}_usd" for part in ("input", "output", "cache_read", "cache_write", "other"))

_PRICED: Final = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o-audio-preview"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-1-20250805"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("aws.bedrock", "anthropic.claude-3-5-haiku-20241022-v1:0"),
    ("deepseek", "deepseek-chat"),
)
"""Tiers by size, prices by date and by the hour, prices of their own for audio and caches are among them."""
_OTHERS: Final = (("ollama", "llama3.2:3b"), ("openai", "no-such-model"), ("", ""))
_MOST_TOKENS: Final = 600_000
"""Beyond every threshold of these models."""
_TOKENS: Final = st.integers(0, 2_000) | st.integers(0, _MOST_TOKENS)


@st.composite
def usages(draw: st.DrawFn) -> Attributes:
    """Token counts the conventions' way: parts are in the whole."""
    left = incoming = draw(_TOKENS)
    parts: Attributes = {}
    for key in (READ, WRITE, AUDIO_INPUT):
        if draw(st.booleans()):
            parts[key] = part = draw(st.integers(0, left))
            left -= part
    if WRITE in parts and draw(st.booleans()):
        parts[LONG_WRITE] = draw(st.integers(0, int(str(parts[WRITE]))))
    outgoing = draw(_TOKENS)
    if draw(st.booleans()):
        parts[AUDIO_OUTPUT] = draw(st.integers(0, outgoing))
    return {INPUT: incoming, OUTPUT: outgoing, **parts}


def _models(models: tuple[tuple[str, str], ...]) -> st.SearchStrategy[Attributes]:
    return st.sampled_from(models).map(
        lambda names: {"gen_ai.provider.name": names[0], "gen_ai.request.model": names[1]}
    )


def _with(*parts: st.SearchStrategy[Attributes]) -> st.SearchStrategy[Attributes]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


_TIERS: Final[list[Attributes]] = [
    {},
    {},
    {"openai.response.service_tier": "flex"},
    {"gen_ai.response.service_tier": "batch"},
]
PRICED_CALLS: Final = _with(st.just({"gen_ai.operation.name": "chat"}), _models(_PRICED), usages())
"""Calls that have a price."""
ANY_SPANS: Final = _with(
    st.sampled_from(["chat", "embeddings", "generate_content", "execute_tool", "invoke_agent"]).map(
        lambda name: {"gen_ai.operation.name": name}
    ),
    _models(_PRICED + _OTHERS),
    usages() | st.just({}),
    st.sampled_from(_TIERS),
    st.sampled_from([{}, *({"penstock.gen_ai.role": role} for role in ("leaf", "aggregate", "duplicate"))]),
)
"""Calls, what is around them, and what has no price."""


def pricer() -> Processor:
    """The processor, with its price table."""
    made: Any = configured(registry.get(Kind.PROCESSOR, "gen_ai_cost"), make_host("gen_ai_cost"))
    assert isinstance(made, Processor)
    return made


def priced(processor: Processor, *calls: Attributes) -> list[Attributes]:
    """What the processor makes of these calls as one batch."""
    batch = processor.process(traces(*calls))
    assert isinstance(batch, Batch)
    return [dict(record.attributes) for record in batch.records()]


def usd(processor: Processor, call: Attributes) -> float:
    """What a call costs that has a price."""
    (found,) = priced(processor, call)
    cost = found[USD]
    assert isinstance(cost, float)
    return cost
