"""Pieces of a streamed answer."""

from __future__ import annotations

from typing import Any

from processors.gen_ai_normalizer.messages.chunks import join_chunks


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def piece(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "system", "parts": list(parts), **more}


def test_text_is_put_together_and_the_last_reason_stays() -> None:
    (message,) = join_chunks(
        [piece(text("Air "), finish_reason="length"), piece(text("scatters."), finish_reason="stop")]
    )
    assert message == {"role": "assistant", "parts": [text("Air scatters.")], "finish_reason": "stop"}


def test_what_lies_between_keeps_texts_apart() -> None:
    call = {"type": "tool_call", "name": "f", "arguments": {}}
    thought = {"type": "reasoning", "content": "Hm"}
    (message,) = join_chunks([piece(thought, text("a")), piece(call), piece(text("b"))])
    assert message == {"role": "assistant", "parts": [thought, text("a"), call, text("b")]}


def test_parts_that_say_more_are_left_alone() -> None:
    marked = {**text("b"), "lang": "en"}
    (message,) = join_chunks([piece(text("a")), piece(marked)])
    assert message["parts"] == [text("a"), marked]


def test_nothing_is_made_of_nothing() -> None:
    assert join_chunks([]) == []
    assert join_chunks([piece()]) == []
