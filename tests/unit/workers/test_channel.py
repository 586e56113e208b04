"""Messages arrive whole, in order, and end with the process that sends them."""

from __future__ import annotations

import asyncio
import math
import socket

import pytest

from pipeline.workers.channel import Channel, Message, receive


async def test_messages_of_any_size_arrive_in_order() -> None:
    one, other = socket.socketpair()
    sender, receiver = await Channel.over(one), await Channel.over(other)
    sent: list[Message] = [{"kind": "a"}, {"kind": "b", "text": "x" * 1_000_000}, {"kind": "c", "values": [math.inf]}]
    for message in sent:
        sender.send(**message)
    closing = asyncio.create_task(sender.close())
    assert [message async for message in receiver.messages()] == sent
    await closing
    receiver.send("lost")
    await receiver.close()


async def test_a_message_that_breaks_off_is_none() -> None:
    one, other = socket.socketpair()
    receiver = await Channel.over(other)
    one.sendall(b"\0\0\0\x09{")
    one.close()
    messages: list[Message] = [message async for message in receiver.messages()]
    assert messages == []
    await receiver.close()


def test_the_first_message_is_waited_for() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b'\0\0\0\x0c{"kind":"a"}')
        assert receive(other) == {"kind": "a"}
        one.close()
        with pytest.raises(EOFError):
            receive(other)


async def test_closing_does_not_wait_for_one_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.workers.channel._CLOSE_S", 0.1)
    one, other = socket.socketpair()
    sender = await Channel.over(one)
    with other:
        sender.send("a", text="x" * 10_000_000)
        await asyncio.wait_for(sender.close(), 60)
