"""What a server bears: floods, stalls and hoards."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pipeline.transport import http2_guard
from pipeline.transport.http2_frames import ENHANCE_YOUR_CALM, ProtocolViolation, frame
from pipeline.transport.http2_guard import Guard, Inflow
from pipeline.transport.http2_stream import Stream
from tests.unit.transport.test_http2_server import BLOCK, DATA, HEADERS, HELLO, PREFACE, RST, client, request

MIB = 1 << 20


@dataclass
class Connection:
    """A connection that is as the test says."""

    frames: int = 0
    stuck: bool = False
    streams: list[Stream] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    aborted: bool = False

    def is_stuck(self) -> bool:
        return self.stuck

    def unfinished(self) -> list[Stream]:
        return list(self.streams)

    def give_up(self, stream: Stream, code: int) -> None:
        self.streams.remove(stream)
        self.given_up.append(stream.id)

    def abort(self) -> None:
        self.aborted = True


def _stream(number: int = 1) -> Stream:
    return Stream(number, 0, [])


def _sweep(guard: Guard) -> None:
    guard.stop()
    guard._sweep()


async def test_a_request_that_does_not_grow_is_given_up() -> None:
    growing, stalled = _stream(1), _stream(3)
    connection = Connection(streams=[growing, stalled])
    guard = Guard(connection, Inflow(MIB))
    _sweep(guard)
    growing.size += 1
    _sweep(guard)
    assert connection.given_up == [3]
    _sweep(guard)
    guard.stop()
    assert connection.given_up == [3, 1]
    assert not connection.aborted


async def test_a_frame_that_never_ends_ends_the_connection() -> None:
    connection = Connection(stuck=True)
    guard = Guard(connection, Inflow(MIB))
    _sweep(guard)
    connection.frames += 1
    _sweep(guard)
    assert not connection.aborted
    _sweep(guard)
    assert connection.aborted


async def test_room_for_bodies_is_given_back() -> None:
    inflow = Inflow(MIB)
    one, other, stream, second = Guard(Connection(), inflow), Guard(Connection(), inflow), _stream(), _stream(3)
    assert one.hold(stream, inflow.connection_bytes)
    assert not one.hold(second, 1)
    assert other.hold(_stream(), 1)
    one.release(stream)
    one.release(stream)
    assert one.hold(second, 1)
    assert inflow.held_bytes == 3


async def test_all_connections_together_have_a_limit() -> None:
    inflow = Inflow(MIB)
    guards = [Guard(Connection(), inflow) for _ in range(inflow.server_bytes // inflow.connection_bytes)]
    assert all(guard.hold(_stream(), inflow.connection_bytes) for guard in guards)
    assert not Guard(Connection(), inflow).hold(_stream(), 1)


async def test_answers_pay_for_resets() -> None:
    guard = Guard(Connection(), Inflow(MIB))
    for _ in range(10_000):
        guard.reset()
        guard.answered()
    for _ in range(1_990):
        guard.reset()
    with pytest.raises(ProtocolViolation) as caught:
        guard.spend(1_000)
    assert caught.value.code == ENHANCE_YOUR_CALM


async def test_a_hoard_of_unfinished_requests_is_refused() -> None:
    async with client() as peer:
        peer.send(HELLO)
        for number in range(1, 101, 2):
            peer.send(frame(HEADERS, 4, number, BLOCK) + frame(DATA, 0, number, bytes(MIB)))
            await peer.writer.drain()
        refused = {(await peer.until(HEADERS))[1] for _ in range(18)}
        assert refused == set(range(65, 101, 2))
        peer.send(b"".join(frame(RST, 0, number, bytes(4)) for number in range(1, 65, 2)) + request(101))
        assert await peer.answer() == b"hello"


@pytest.mark.parametrize("begun", [PREFACE[:5], HELLO + b"\0\0", HELLO + frame(HEADERS, 0, 1, BLOCK)])
async def test_what_never_ends(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_guard, "_STALL_S", 0.05)
    async with client() as peer:
        peer.send(begun)
        await peer.reader.read()
        assert peer.reader.at_eof()
        assert not peer.connections


async def test_a_stalled_request_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_guard, "_STALL_S", 0.05)
    async with client() as peer:
        peer.send(HELLO + frame(HEADERS, 4, 1, BLOCK) + frame(DATA, 0, 1, b"x"))
        assert (await peer.until(RST))[1:] == (1, (8).to_bytes(4, "big"))
        peer.send(request(3))
        assert await peer.answer() == b"hello"
