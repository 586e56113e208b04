"""The pieces of a streamed answer, which some libraries report as a message each, back in one."""

from __future__ import annotations

from typing import Final

from processors.gen_ai_normalizer.messages.message import Message
from processors.gen_ai_normalizer.messages.tools import Part

_JOINED: Final = frozenset({"text", "reasoning"})


def join_chunks(messages: list[Message]) -> list[Message]:
    """One answer out of its pieces, in their order; why it stopped is what the last of them says."""
    runs: list[list[Part]] = []
    for part in (part for message in messages for part in message["parts"]):
        if runs and _continues(runs[-1][-1], part):
            runs[-1].append(part)
        else:
            runs.append([part])
    parts = [_one(run) for run in runs]
    if not parts:
        return []
    reasons = [message["finish_reason"] for message in messages if message.get("finish_reason")]
    return [{"role": "assistant", "parts": parts} | ({"finish_reason": reasons[-1]} if reasons else {})]


def _one(run: list[Part]) -> Part:
    return run[0] if len(run) == 1 else {**run[0], "content": "".join(part["content"] for part in run)}


def _continues(before: Part, part: Part) -> bool:
    """Whether both are text of one kind, with nothing else to say."""
    return (
        part.get("type") in _JOINED
        and part.keys() == before.keys() == {"type", "content"}
        and part["type"] == before["type"]
        and isinstance(part["content"], str)
        and isinstance(before["content"], str)
    )
