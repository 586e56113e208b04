"""What is compared of a call: the true value, what Penstock says, and whether the source said it at all.

A field is eligible when its true value is the value of (or stands inside) some attribute, body or event of the
call's own spans and log records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from processors.gen_ai_normalizer.knowledge.vocabulary import finish_reason

if TYPE_CHECKING:
    from tests.evaluation.calls import Call

_PROVIDERS: Final = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "gemini": ("gcp.gemini", "gcp.gen_ai"),
    "ollama": ("ollama",),
    "aws.bedrock": ("aws.bedrock",),
    "cohere": ("cohere",),
    "mistral": ("mistral_ai",),
}
"""The conventions' words for the providers of the recordings."""
_PROVIDER_WORDS: Final = {
    "gemini": ("gemini", "google", "gcp"),
    "aws.bedrock": ("bedrock", "aws", "amazon"),
    "mistral": ("mistral", "mistralai", "mistral_ai"),
}
_OPERATIONS: Final = {
    "embeddings": ("embeddings",),
    "v2/embed": ("embeddings",),
    "embedContent": ("embeddings",),
    "rerank": ("rerank",),
    "generateContent": ("generate_content", "chat"),
}
_NO_MESSAGES: Final = frozenset({"embeddings", "v2/embed", "embedContent", "rerank"})
_STREAM_WORDS: Final = ("stream", "chunk", "first token", "sse")
_STREAM_NAMES: Final = frozenset({"name", "event", ".ai.operationid", ".event.name", ".rpc.method"})
"""Where the name of what was called may stand."""
_STREAM_PATHS: Final = ("completion_start_time", "first_chunk", "first_token")
_DEFINES_TOOLS: Final = re.compile(r"functions|definitions|(^|\.)tools(\.|$)")
_ENDED: Final = re.compile(r"finish|stop_reason|done_reason|\.status$")
"""Where a source says why an answer ended; the Responses API has a status for that."""
_OK: Final = 200
_STRAY: Final = " user"
"""The role, which the record of a request has behind the text where a client sends it in that order."""


@dataclass(frozen=True)
class Field:
    """One thing to know of a call."""

    name: str
    truth: Callable[[Call], Any]
    """The true value; None where there is none to know."""
    said: Callable[[Call], Any]
    """What came out; None where nothing did."""
    same: Callable[[Any, Any], bool]
    """Whether what came out (second) is the truth (first)."""
    eligible: Callable[[Call, Any], bool]
    """Whether the source said the true value."""

    def verdict(self, call: Call) -> str:
        """`right`, `wrong` or `absent` of an eligible value; `stated` or `unfounded` of one that is not; else nothing.

        What the source said itself is stated; what nobody said is unfounded.
        """
        truth, said = self.truth(call), self.said(call)
        if truth is None:
            return ""
        if self.eligible(call, truth):
            return "absent" if said is None else "right" if self.same(truth, said) else "wrong"
        if said is None:
            return ""
        return "stated" if all(_stands_in(call, value) for value in _scalars(said)) else "unfounded"


def _stands_in(call: Call, value: Any) -> bool:
    if isinstance(value, str):
        return call.has_text(value)
    return any(found == value or _as_number(found) == value for record in call.raw for _, found in record.leaves)


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | tuple):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _scalars(entry)
    else:
        yield value


def _answered(call: Call) -> bool:
    return bool(call.request["status"] == _OK and call.request["error"] is None)


def _response_model(call: Call) -> Any:
    return call.request.get("response_model") if call.request["status"] == _OK else None


def _word_in(call: Call, word: str) -> bool:
    """Whether a name stands in a raw record for itself (`gpt-4o` does not stand in `gpt-4o-mini`)."""
    pattern = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\w)")
    return any(pattern.search(text) for text in call.raw_texts)


def _text_field(name: str, key: str, truth: Callable[[Call], Any]) -> Field:
    return Field(name, truth, lambda call: call.said(key), lambda true, said: bool(true == said), _word_in)


def _provider() -> Field:
    def words(call: Call) -> tuple[str, ...]:
        provider = call.request["provider"]
        return _PROVIDER_WORDS.get(provider, (provider,))

    def eligible(call: Call, _: Any) -> bool:
        # The name of a span is not asked: `openai.chat` is any client that speaks OpenAI's API.
        found = [value for record in call.raw for path, value in record.leaves if path != "name"]
        texts = [text.lower() for text in found if isinstance(text, str)]
        return any(word == text or text.startswith((f"{word}.", f"{word}/")) for word in words(call) for text in texts)

    return Field(
        "provider",
        lambda call: _PROVIDERS[call.request["provider"]],
        lambda call: call.said("gen_ai.provider.name"),
        lambda true, said: said in true,
        eligible,
    )


def _operation() -> Field:
    return Field(
        "operation",
        lambda call: _OPERATIONS.get(call.request["api"], ("chat",)),
        lambda call: call.said("gen_ai.operation.name"),
        lambda true, said: said in true,
        lambda _call, _true: True,
    )


def _stream() -> Field:
    """Whether a call was streamed; a call that was not must not say so."""

    def eligible(call: Call, true: bool) -> bool:
        return not true or any(_tells_of_stream(*leaf) for record in call.raw for leaf in record.leaves)

    def said(call: Call) -> Any:
        return call.said("gen_ai.request.stream") or (None if _streamed(call) else False)

    return Field("stream", _streamed, said, lambda true, found: bool(true == found), eligible)


def _streamed(call: Call) -> bool:
    """Whether a stream was asked for; what is answered to a call that fails is none."""
    asked = call.request.get("request") or {}
    by_path = "stream" in call.request["path"].lower()
    return bool(call.request["stream"] or by_path or (asked.get("params") or {}).get("stream"))


def _tells_of_stream(path: str, value: Any) -> bool:
    if any(word in path for word in _STREAM_PATHS):
        return value not in (None, 0, "")
    if "stream" in path:
        return str(value).lower() in {"true", "1"}
    return path in _STREAM_NAMES and any(word in str(value).lower() for word in _STREAM_WORDS)


def _tokens(name: str, key: str, truth: str, also: Callable[[Call], tuple[int, ...]] = lambda _call: ()) -> Field:
    """A count; that something was not used (0) need not be said."""

    def true(call: Call) -> Any:
        return (call.request.get("usage") or {}).get(truth)

    def said(call: Call) -> Any:
        found = call.said(key)
        return None if found == 0 and not true(call) else found

    def eligible(call: Call, value: int) -> bool:
        wanted = {value, *also(call)} - {0}
        return any(
            _as_number(found) in wanted
            for record in call.raw
            for path, found in record.leaves
            if "token" in path or "usage" in path
        )

    return Field(name, true, said, lambda value, found: bool(value == found), eligible)


def _as_number(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:12])
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _exclusive_input(call: Call) -> tuple[int, ...]:
    """Input as it is counted by those who leave out what was cached."""
    usage = call.request.get("usage") or {}
    cached = usage.get("cached_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    return (usage["input_tokens"] - cached,) if cached and "input_tokens" in usage else ()


def _finish() -> Field:
    def true(call: Call) -> Any:
        return finish_reason(call.request.get("finish_reason")) if _answered(call) else None

    def said(call: Call) -> Any:
        key = "gen_ai.response.finish_reasons"
        return next((record.attributes[key] for record in call.reports if key in record.attributes), None)

    def eligible(call: Call, value: str) -> bool:
        return any(
            finish_reason(found) == value
            for record in call.raw
            for path, found in record.leaves
            if _ENDED.search(path) and isinstance(found, str)
        )

    return Field("finish reason", true, said, lambda value, found: set(found) == {value}, eligible)


def _messages(call: Call, key: str, roles: tuple[str, ...]) -> list[list[dict[str, Any]]] | None:
    """The parts of the messages of these roles, from all records of the call; None where there are no messages."""
    found: list[Any] = []
    for record in call.reports:
        value = record.attributes.get(key)
        found += _as_list(value)
    return [_as_list(entry.get("parts")) for entry in found if entry.get("role") in roles] if found else None


def _as_list(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return []
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _contents(messages: list[list[dict[str, Any]]] | None, kind: str = "text") -> list[str] | None:
    if messages is None:
        return None
    joined = [[str(part.get("content", "")) for part in parts if part.get("type") == kind] for parts in messages]
    return ["\n".join(texts) for texts in joined] + [text for texts in joined for text in texts]


def _prompt() -> Field:
    def true(call: Call) -> Any:
        asked = call.request.get("request") or {}
        text = (asked.get("last_user_text") or "").removesuffix(_STRAY)
        return text or None if call.request["api"] not in _NO_MESSAGES else None

    return Field(
        "prompt text",
        true,
        lambda call: _contents(_messages(call, "gen_ai.input.messages", ("user",))),
        lambda value, said: any(value in text for text in said),
        lambda call, value: call.has_text(value),
    )


def _completion() -> Field:
    return Field(
        "completion text",
        lambda call: call.request.get("output_text") or None,
        lambda call: _contents(_messages(call, "gen_ai.output.messages", ("assistant",))),
        lambda value, said: all(any(text in found for found in said) for text in value),
        lambda call, value: all(call.has_text(text) for text in value),
    )


def _thinking() -> Field:
    return Field(
        "reasoning text",
        lambda call: call.request.get("thinking"),
        lambda call: _contents(_messages(call, "gen_ai.output.messages", ("assistant",)), "reasoning") or None,
        lambda value, said: any(value in text for text in said),
        lambda call, value: call.has_text(value),
    )


def _tool_calls() -> Field:
    def said(call: Call) -> Any:
        messages = _messages(call, "gen_ai.output.messages", ("assistant",))
        if messages is None:
            return None
        return [
            (p.get("name"), p.get("arguments")) for parts in messages for p in parts if p.get("type") == "tool_call"
        ]

    def eligible(call: Call, calls: list[dict[str, Any]]) -> bool:
        return all(_calls_tool(call, entry["name"]) and _has_all(call, entry["arguments"]) for entry in calls)

    return Field(
        "tool calls",
        lambda call: call.request.get("tool_calls") or None,
        said,
        lambda calls, found: all((entry["name"], entry["arguments"]) in found for entry in calls),
        eligible,
    )


def _calls_tool(call: Call, name: str) -> bool:
    """Whether a tool's name stands in a raw record, elsewhere than where the tool is defined."""
    leaves = (leaf for record in call.raw for leaf in record.leaves)
    return any(name in value for path, value in leaves if isinstance(value, str) and not _DEFINES_TOOLS.search(path))


def _has_all(call: Call, value: Any) -> bool:
    """Whether every text in the arguments of a call stands in a raw record."""
    return all(call.has_text(text) for text in _scalars(value) if isinstance(text, str))


FIELDS: Final = (
    _provider(),
    _text_field("request model", "gen_ai.request.model", lambda call: call.request["request_model"]),
    _text_field("response model", "gen_ai.response.model", _response_model),
    _operation(),
    _stream(),
    _tokens("input tokens", "gen_ai.usage.input_tokens", "input_tokens", _exclusive_input),
    _tokens("output tokens", "gen_ai.usage.output_tokens", "output_tokens"),
    _tokens("cache read", "gen_ai.usage.cache_read.input_tokens", "cached_input_tokens"),
    _tokens("cache write", "gen_ai.usage.cache_creation.input_tokens", "cache_creation_input_tokens"),
    _tokens("reasoning", "gen_ai.usage.reasoning.output_tokens", "reasoning_tokens"),
    _text_field("response id", "gen_ai.response.id", lambda call: call.request.get("response_id")),
    _finish(),
    _prompt(),
    _completion(),
    _thinking(),
    _tool_calls(),
)
