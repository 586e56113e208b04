"""Which API a path belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.recording.answers import Asked, Reply
from tests.recording.apis import anthropic, bedrock, gemini, openai_chat, openai_responses
from tests.recording.apis.common import Chunk


@dataclass(frozen=True)
class Api:
    """One API of a provider."""

    path_ends: tuple[str, ...]
    asked: Callable[[str, dict[str, Any]], Asked]
    body: Callable[[Asked, Reply], dict[str, Any]]
    refusal: Callable[[int, str], dict[str, Any]]
    finish: Callable[[Reply], str]
    chunks: Callable[[Asked, Reply], Iterator[Chunk]] | None = None
    stream_type: str = "text/event-stream"


def _openai_finish(reply: Reply) -> str:
    return reply.finish


_GEMINI_ENDS: Final = (":generateContent", ":streamGenerateContent")
_CONVERSE: Final = "application/vnd.amazon.eventstream"
APIS: Final = (
    Api(
        ("/chat/completions",),
        openai_chat.asked_chat,
        openai_chat.chat,
        openai_chat.refusal,
        _openai_finish,
        openai_chat.chat_chunks,
    ),
    Api(("/embeddings",), openai_chat.asked_embeddings, openai_chat.embeddings, openai_chat.refusal, _openai_finish),
    Api(
        ("/responses",),
        openai_responses.asked,
        openai_responses.body,
        openai_chat.refusal,
        _openai_finish,
        openai_responses.chunks,
    ),
    Api(("/messages",), anthropic.asked, anthropic.body, anthropic.refusal, anthropic.finish, anthropic.chunks),
    Api(_GEMINI_ENDS, gemini.asked, gemini.body, gemini.refusal, gemini.finish, gemini.chunks),
    Api(
        ("/converse", "/converse-stream"),
        bedrock.asked,
        bedrock.body,
        bedrock.refusal,
        bedrock.finish,
        bedrock.chunks,
        _CONVERSE,
    ),
)


def api_of(path: str) -> Api | None:
    """The API of a path without its query; None where there is none."""
    return next((api for api in APIS if path.endswith(api.path_ends)), None)
