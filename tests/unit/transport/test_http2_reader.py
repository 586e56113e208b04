"""Frames out of bytes: in whatever pieces they come, whatever they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transport.http2_frames import DATA, PADDED, PING, PREFACE, ProtocolViolation, frame
from pipeline.transport.http2_reader import FrameReader

MAX_FRAME = 1 << 20
LARGEST_WHOLE = 40_000


@dataclass
class Sink:
    """Writes down what comes, and fails where it is told to."""

    failing: frozenset[int] = frozenset()
    seen: list[tuple[int | str, int, int, bytes]] = field(default_factory=list)
    _open: tuple[int, int, bytearray] | None = None

    def begin_data(self, flags: int, stream_id: int, size: int) -> None:
        self._open = (flags, stream_id, bytearray())
        if stream_id in self.failing:
            self._open = None
            raise ProtocolViolation(5, "told to", stream_id)

    def take_data(self, piece: bytes) -> None:
        if self._open is not None:
            self._open[2].extend(piece)

    def end_data(self) -> None:
        if self._open is not None:
            flags, stream_id, body = self._open
            self.seen.append((DATA, flags, stream_id, bytes(body)))
            self._open = None

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        self.seen.append((kind, flags, stream_id, payload))

    def stream_failed(self, violation: ProtocolViolation) -> None:
        self.seen.append(("failed", 0, violation.stream_id, b""))


def read(raw: bytes, size: int, sink: Sink, preface: bytes = b"") -> FrameReader:
    """Feed bytes in pieces; returns the reader, which has caught up."""
    reader = FrameReader(sink, max_frame=MAX_FRAME, preface=preface)
    for start in range(0, len(raw), size):
        reader.feed(memoryview(raw[start : start + size]))
        while reader.behind:
            reader.go_on()
    return reader


data = st.builds(lambda number, body: frame(DATA, 0, number, body), st.integers(1, 5), st.binary(max_size=50))
padded = st.builds(
    lambda number, body, pad: frame(DATA, PADDED, number, bytes([pad]) + body + bytes(pad)),
    st.integers(1, 5),
    st.binary(max_size=50),
    st.integers(0, 30),
)
pings = st.just(frame(PING, 0, 0, b"12345678"))
unknown = st.builds(lambda kind, body: frame(kind, 0, 1, body), st.integers(10, 255), st.binary(max_size=50))


@given(frames=st.lists(data | padded | pings | unknown, max_size=20), size=st.integers(1, 200))
def test_pieces_do_not_matter(frames: list[bytes], size: int) -> None:
    raw = b"".join(frames)
    whole, chopped = Sink(frozenset({2})), Sink(frozenset({2}))
    read(raw, len(raw) or 1, whole)
    reader = read(PREFACE + raw, size, chopped, PREFACE)
    assert chopped.seen == whole.seen
    assert len(whole.seen) == len(frames)
    assert not reader.is_midway


@given(raw=st.binary(max_size=300), size=st.integers(1, 50))
def test_noise_ends_in_frames_or_a_violation(raw: bytes, size: int) -> None:
    try:
        reader = read(raw, size, Sink())
    except ProtocolViolation as violation:
        assert violation.stream_id == 0  # noqa: PT017 - other noise is frames
    else:
        assert len(reader._rest) < LARGEST_WHOLE


def test_a_slice_is_limited_and_nothing_is_lost() -> None:
    sink = Sink()
    reader = FrameReader(sink, max_frame=MAX_FRAME)
    reader.feed(memoryview(frame(PING, 0, 0, bytes(8)) * 1000))
    assert len(sink.seen) < 200
    reader.feed(memoryview(frame(PING, 0, 0, b"the last")))
    while reader.behind:
        reader.go_on()
    assert len(sink.seen) == 1001
    assert sink.seen[-1][3] == b"the last"


def test_a_stopped_reader_takes_nothing() -> None:
    sink = Sink()
    reader = FrameReader(sink, max_frame=MAX_FRAME)
    reader.stopped = True
    reader.feed(memoryview(frame(PING, 0, 0, bytes(8))))
    assert not sink.seen


@pytest.mark.parametrize("kind", [1, 4, 7, 9])
def test_large_frames_are_not_gathered(kind: int) -> None:
    head = frame(kind, 4, 1, bytes(LARGEST_WHOLE))[:9]
    with pytest.raises(ProtocolViolation, match="headers too large"):
        read(head, 9, Sink())
