"""What the telemetry of a call says of its tokens, its time and its service tier."""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals import Attributes, LogRecord, Record, Span
from processors.gen_ai_cost.book import Unpriced
from processors.gen_ai_cost.rates import Usage

INPUT: Final = "gen_ai.usage.input_tokens"
OUTPUT: Final = "gen_ai.usage.output_tokens"
_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
# Profiles 1.41 and main.
_CACHE_WRITE: Final = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens")
_CACHE_WRITE_1H: Final = "penstock.gen_ai.usage.cache_creation_1h.input_tokens"
_AUDIO_INPUT: Final = "gen_ai.usage.audio.input_tokens"
_AUDIO_OUTPUT: Final = "gen_ai.usage.audio.output_tokens"
_IMAGE_INPUT: Final = "gen_ai.usage.image.input_tokens"
_IMAGE_OUTPUT: Final = "gen_ai.usage.image.output_tokens"
_RARER: Final = frozenset({_CACHE_WRITE_1H, _AUDIO_INPUT, _AUDIO_OUTPUT, _IMAGE_INPUT, _IMAGE_OUTPUT})
CACHED: Final = frozenset({_CACHE_READ, *_CACHE_WRITE})
"""Counts of tokens read from and written to a cache."""
DETAILS: Final = _RARER.union(CACHED)
"""Counts of parts: of most calls nothing of it is said."""
TIERS: Final = (
    "openai.response.service_tier",
    "anthropic.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.openai.response.service_tier",
)
"""Service tiers of responses, the strongest first; what a request asks for says nothing of what was billed."""
MOST_TOKENS: Final = 10**9
"""No request is near it: a larger count is none."""
_GENERATING: Final = frozenset({"chat", "generate_content", "text_completion"})
"""Operations that are billed for both what goes in and what comes out (gen_ai.operation.name)."""
_ANSWERED: Final = ("gen_ai.response.model", "gen_ai.output.messages", "gen_ai.response.time_to_first_chunk")
_LEFT: Final = ("GeneratorExit", "CancelledError", "KeyboardInterrupt", "AbortError")
"""How the types of exceptions end that say that a client went away; the provider had not failed."""
_STATUS_ERROR: Final = 2
"""opentelemetry.proto.trace.v1.Status.StatusCode."""
_SECOND_NS: Final = 1e9


def usage_of(attributes: Attributes) -> Usage | None:
    """The tokens of a call in convention attributes (1.36, 1.41 or main); None when the source says nothing of them.

    Raises:
        Unpriced: counts below zero, or beyond what a call can have.
    """
    get = attributes.get
    incoming, outgoing = _said(get(INPUT)), _said(get(OUTPUT))
    if incoming is None and outgoing is None:
        return None
    total, output = incoming or 0, outgoing or 0
    if not (0 <= total <= MOST_TOKENS and 0 <= output <= MOST_TOKENS):
        raise Unpriced("invalid_usage")
    return Usage(total, output) if DETAILS.isdisjoint(attributes) else detailed_usage(total, output, attributes)


def cached(attributes: Attributes) -> tuple[int, int]:
    """Tokens read from a cache, and written to one."""
    get = attributes.get
    return _count(get(_CACHE_READ)), _count(get(_CACHE_WRITE[0]) or get(_CACHE_WRITE[1]))


def detailed_usage(total: int, output: int, attributes: Attributes) -> Usage:
    """The tokens of a call with counts of parts."""
    get = attributes.get
    read, written = cached(attributes)
    if total < read + written:
        # Parts that exceed the whole show a source which counts the uncached rest only.
        total += read + written
    if _RARER.isdisjoint(attributes):
        return Usage(total, output, read, written)
    return Usage(
        total,
        output,
        read,
        written,
        _count(get(_CACHE_WRITE_1H)),
        _count(get(_AUDIO_INPUT)),
        _count(get(_AUDIO_OUTPUT)),
        _count(get(_IMAGE_INPUT)),
        _count(get(_IMAGE_OUTPUT)),
    )


def generates(attributes: Attributes) -> bool:
    """Whether a call is billed for what comes out, too."""
    operation = attributes.get("gen_ai.operation.name")
    return isinstance(operation, str) and operation in _GENERATING


def is_partial(attributes: Attributes, *, output_costs: bool) -> bool:
    """Whether a call that generates says but one of what is billed of it; embeddings are billed for what goes in."""
    if not generates(attributes):
        return False
    return _said(attributes.get(INPUT)) is None or (output_costs and _said(attributes.get(OUTPUT)) is None)


def _said(value: Any) -> int | None:
    return value if value.__class__ is int else None


def _count(value: Any) -> int:
    return value if value.__class__ is int and 0 < value <= MOST_TOKENS else 0


def tier_said(attributes: Attributes) -> str:
    """The service tier of the response as it stands, `""` when it is not said."""
    for key in TIERS:
        tier = attributes.get(key)
        if isinstance(tier, str):
            return tier
    return ""


def has_failed(record: Record, attributes: Attributes) -> bool:
    """Whether a call ended with an error before anything was generated, as far as can be seen: those are free."""
    is_error = "error.type" in attributes or (isinstance(record, Span) and record.status_code == _STATUS_ERROR)
    return is_error and not any(key in attributes for key in _ANSWERED) and not _was_left(record, attributes)


def _was_left(record: Record, attributes: Attributes) -> bool:
    kinds = [attributes.get("error.type")]
    if isinstance(record, Span):
        kinds += [event.attributes.get("exception.type") for event in record.events if event.name == "exception"]
    return any(isinstance(kind, str) and kind.endswith(_LEFT) for kind in kinds)


def time_of(record: Record) -> int:
    """When a call began (Unix time, nanoseconds); of a log record there is but the time of the event."""
    if isinstance(record, Span):
        return record.start_time_unix_nano
    return (record.time_unix_nano or record.observed_time_unix_nano) if isinstance(record, LogRecord) else 0


def duration_s(record: Record) -> float | None:
    """How long a call took, None where that is not known."""
    if not isinstance(record, Span) or record.end_time_unix_nano < record.start_time_unix_nano:
        return None
    return (record.end_time_unix_nano - record.start_time_unix_nano) / _SECOND_NS
