"""What the provider is asked, and what it answers, in no API's form."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

_DATED: Final = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}
"""Aliases that OpenAI and Anthropic answer with the name of a snapshot."""
_LETTERS_PER_TOKEN: Final = 4


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants called."""

    name: str
    arguments: dict[str, Any]
    id: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer of a scenario's plan: text, tool calls, or an error."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    """`stop` or `length`; tool calls have their own word in each API."""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    error: int = 0
    """HTTP status; 0: none."""
    message: str = ""

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> Answer:
        """An entry of a scenario's `answers`."""
        calls = tuple(ToolCall(**call) for call in entry.get("tool_calls", ()))
        return cls(**{**entry, "tool_calls": calls})


@dataclass(frozen=True)
class Usage:
    """Tokens of one call; the input includes what was cached, the output what was reasoned."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def uncached_tokens(self) -> int:
        """Input as Anthropic and Bedrock count it: without what was cached."""
        return self.input_tokens - self.cached_tokens - self.cache_write_tokens


@dataclass(frozen=True)
class Asked:
    """A request, as far as the truth file tells of it."""

    provider: str
    api: str
    model: str
    stream: bool = False
    messages: tuple[tuple[str, str], ...] = ()
    """Role and text of each message."""
    tools: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    inputs: int = 0
    """Texts to embed."""
    with_usage: bool = True
    """Whether a stream ends with the counts."""

    @property
    def last_user_text(self) -> str:
        """What the user said last."""
        return next((text for role, text in reversed(self.messages) if role in {"user", "input"}), "")


@dataclass(frozen=True)
class Reply:
    """An answer with the ids and counts of the request that it answers."""

    answer: Answer
    usage: Usage
    model: str
    response_id: str
    calls: tuple[ToolCall, ...]
    created: int

    @property
    def finish(self) -> str:
        """Why the model stopped, in OpenAI's words."""
        return "tool_calls" if self.calls else self.answer.finish


ID_FORMS: Final = {
    "chat.completions": ("chatcmpl-", "call_"),
    "responses": ("resp_", "call_"),
    "messages": ("msg_", "toolu_"),
    "converse": ("", "tooluse_"),
    "generateContent": ("", ""),
}
"""How ids of responses and of tool calls begin."""


def reply_to(asked: Asked, answer: Answer) -> Reply:
    """The answer to a request, counted by the length of its texts."""
    prefix, call_prefix = ID_FORMS.get(asked.api, ("", ""))
    calls = tuple(
        ToolCall(call.name, call.arguments, f"{call_prefix}{secrets.token_hex(12)}") for call in answer.tool_calls
    )
    letters_in = sum(len(text) for _, text in asked.messages) + 120 * len(asked.tools)
    letters_out = len(answer.text) + sum(len(str(call.arguments)) + len(call.name) for call in calls)
    usage = Usage(
        input_tokens=letters_in // _LETTERS_PER_TOKEN
        + 4 * len(asked.messages)
        + answer.cached_tokens
        + answer.cache_write_tokens,
        output_tokens=letters_out // _LETTERS_PER_TOKEN + 1 + answer.reasoning_tokens,
        cached_tokens=answer.cached_tokens,
        cache_write_tokens=answer.cache_write_tokens,
        reasoning_tokens=answer.reasoning_tokens,
    )
    model = _DATED.get(asked.model, asked.model)
    return Reply(answer, usage, model, prefix + secrets.token_hex(14), calls, int(time.time()))


def pieces(text: str) -> list[str]:
    """A text as it comes over a stream, three words at a time."""
    words = text.split(" ")
    return (
        [" ".join(words[i : i + 3]) + (" " if i + 3 < len(words) else "") for i in range(0, len(words), 3)]
        if text
        else []
    )


class Plan:
    """The answers of one scenario, in order; the last is given again to whoever asks once more."""

    def __init__(self, answers: list[Answer]) -> None:
        """Start at the first answer."""
        self._answers = answers
        self._given = 0
        self._lock = threading.Lock()

    def take(self) -> Answer:
        """The next answer."""
        with self._lock:
            found = self._answers[min(self._given, len(self._answers) - 1)]
            self._given += 1
        return found

    @property
    def unused(self) -> int:
        """Answers that nobody asked for."""
        return max(len(self._answers) - self._given, 0)
