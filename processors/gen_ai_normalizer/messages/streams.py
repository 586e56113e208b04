"""The events of a streamed answer, as APIs send them and as some libraries record them, back in one message for each
choice.

Source: streaming events of OpenAI's Chat Completions and Responses and of Anthropic's Messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from processors.gen_ai_normalizer.messages.message import Message, to_message

Event = dict[str, Any]

_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
_BLOCK_TEXTS: Final = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
_FINISHED: Final = ("response.completed", "response.incomplete", "response.failed")


def read_stream(entries: list[Any]) -> list[Message] | None:
    """The messages of a list of events; None for a list of anything else."""
    if not all(isinstance(entry, dict) for entry in entries):
        return None
    for is_event, read in _STREAMS:
        if any(is_event(entry) for entry in entries):
            return read(entries)
    return None


def _is_chat_chunk(entry: Event) -> bool:
    choices = entry.get("choices")
    return isinstance(choices, list) and any(isinstance(c, dict) and isinstance(c.get("delta"), dict) for c in choices)


def _is_block_event(entry: Event) -> bool:
    return entry.get("type") in ("content_block_start", "content_block_delta")


def _is_response_event(entry: Event) -> bool:
    return entry.get("type") in _FINISHED and isinstance(entry.get("response"), dict)


def _of_chat(entries: list[Event]) -> list[Message]:
    choices: dict[Any, Event] = {}
    for entry in entries:
        listed = entry.get("choices")
        for choice in listed if isinstance(listed, list) else []:
            if isinstance(choice, dict):
                message = choices.setdefault(str(choice.get("index", 0)), {"role": "assistant", "tool_calls": {}})
                delta = choice.get("delta")
                _add_delta(message, delta if isinstance(delta, dict) else {})
                message["finish_reason"] = choice.get("finish_reason") or message.get("finish_reason")
    return [to_message(_whole(message), "assistant") for message in choices.values()]


def _whole(message: Event) -> Event:
    """A message whose texts, and those of its calls, were in pieces."""
    calls = [
        call | {"function": {key: "".join(pieces) for key, pieces in call["function"].items()}}
        for call in message["tool_calls"].values()
    ]
    return message | {key: "".join(message[key]) for key in _TEXTS if key in message} | {"tool_calls": calls}


def _add_delta(message: Event, delta: Event) -> None:
    """Add the pieces to lists: to make the text longer piece by piece copies it for each."""
    for key in _TEXTS:
        if isinstance(delta.get(key), str):
            message.setdefault(key, []).append(delta[key])
    calls = delta.get("tool_calls")
    for position, call in enumerate(calls if isinstance(calls, list) else []):
        if isinstance(call, dict):
            _add_call(message["tool_calls"], call, call.get("index", position))


def _add_call(calls: dict[str, Event], piece: Event, index: Any) -> None:
    """Add a piece of a call: the first has its id and name, the others more of the arguments."""
    call = calls.setdefault(str(index), {"index": index, "function": {}})
    call |= {key: value for key, value in piece.items() if key not in {"index", "function"} and value}
    function = piece.get("function")
    for key in ("name", "arguments"):
        said = function.get(key) if isinstance(function, dict) else None
        if isinstance(said, str):
            call["function"].setdefault(key, []).append(said)


def _of_blocks(entries: list[Event]) -> list[Message]:
    blocks: dict[str, Event] = {}
    pieces: dict[str, dict[str, list[str]]] = {}
    reason = None
    for entry in entries:
        start, delta = entry.get("content_block"), entry.get("delta")
        index = str(entry.get("index"))
        if entry.get("type") == "content_block_start" and isinstance(start, dict):
            blocks[index] = dict(start)
            pieces.pop(index, None)
        elif entry.get("type") == "content_block_delta" and isinstance(delta, dict):
            blocks.setdefault(index, {"type": "text", "text": ""})
            _add_to_block(pieces.setdefault(index, {}), delta)
        elif isinstance(delta, dict):
            reason = delta.get("stop_reason") or reason
    content = [_whole_block(block, pieces.get(index, {})) for index, block in blocks.items()]
    return [to_message({"role": "assistant", "content": content, "stop_reason": reason}, "assistant")]


def _add_to_block(pieces: dict[str, list[str]], delta: Event) -> None:
    key = _BLOCK_TEXTS.get(str(delta.get("type")))
    if key is not None and isinstance(delta.get(key), str):
        pieces.setdefault(key, []).append(delta[key])
    elif isinstance(delta.get("partial_json"), str):
        pieces.setdefault("input", []).append(delta["partial_json"])


def _whole_block(block: Event, pieces: dict[str, list[str]]) -> Event:
    """A block with the pieces behind what it began with."""
    begun = {key: said if isinstance(said := block.get(key), str) else "" for key in pieces}
    return block | {key: begun[key] + "".join(texts) for key, texts in pieces.items()}


def _of_response(entries: list[Event]) -> list[Message] | None:
    last = [entry["response"] for entry in entries if _is_response_event(entry)][-1]
    output = last.get("output")
    if not isinstance(output, list) or not output:
        return None
    read = [to_message(item, "assistant") for item in output if isinstance(item, dict)]
    return [{"role": "assistant", "parts": [part for message in read for part in message["parts"]]}]


_STREAMS: Final[tuple[tuple[Callable[[Event], bool], Callable[[list[Event]], list[Message] | None]], ...]] = (
    (_is_chat_chunk, _of_chat),
    (_is_block_event, _of_blocks),
    (_is_response_event, _of_response),
)
