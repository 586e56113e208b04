"""Header blocks: what is decoded, what is refused, what a bomb costs."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transport.http2_frames import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ProtocolViolation
from pipeline.transport.http2_headers import BlockReader, Headers, body_size, encode_headers, request_fault
from pipeline.transport.http2_stream import judge_request

GOOD: Headers = [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "a"), ("te", "trailers")]


def _reader() -> BlockReader[str]:
    return BlockReader(request_fault)


@given(st.lists(st.tuples(st.from_regex(r"[a-z][a-z-]{0,20}", fullmatch=True), st.text(max_size=200)), max_size=5))
def test_what_is_encoded_is_decoded(headers: Headers) -> None:
    assert _reader().decode(encode_headers(headers))[0] == headers


@given(st.binary(max_size=200))
def test_noise(block: bytes) -> None:
    try:
        _reader().decode(block)
    except ProtocolViolation as violation:
        assert violation.code == COMPRESSION_ERROR  # noqa: PT017 - other noise is a block


def test_the_table_is_kept() -> None:
    reader, encoder = _reader(), Encoder()
    blocks = [encoder.encode(GOOD) for _ in range(3)]
    assert blocks[1] != blocks[0]
    assert [reader.decode(block) for block in blocks] == [(GOOD, "")] * 3


def test_a_bomb_of_references_is_not_inflated() -> None:
    encoder = Encoder()
    encoder.header_table_size = 4096
    reader = _reader()
    reader.decode(encoder.encode([("x", "y" * 3000)]))
    with pytest.raises(ProtocolViolation):
        reader.decode(b"\xbe" * 10_000)


@pytest.mark.parametrize(("fragments", "size"), [(64, 1), (4, 9_000)])
def test_fragments_without_end(fragments: int, size: int) -> None:
    reader = _reader()
    reader.begin(0, 1, b"")
    for _ in range(min(fragments, 32_768 // size)):
        reader.go_on(1, bytes(size))
    with pytest.raises(ProtocolViolation) as caught:
        reader.go_on(1, bytes(size))
    assert caught.value.code == ENHANCE_YOUR_CALM


BAD = {
    "no path": [GOOD[0], GOOD[1]],
    "empty path": [*GOOD[:2], (":path", "")],
    "method twice": [GOOD[0], *GOOD],
    "status": [*GOOD[:4], (":status", "200")],
    "path behind headers": [*GOOD[:2], ("a", "b"), GOOD[2]],
    "capitals": [*GOOD, ("Name", "x")],
    "colon inside": [*GOOD, ("na:me", "x")],
    "empty name": [*GOOD, ("", "x")],
    "line feed": [*GOOD, ("name", "a\nb")],
    "zero": [*GOOD, ("name", "a\0b")],
    "connection": [*GOOD, ("connection", "close")],
    "transfer-encoding": [*GOOD, ("transfer-encoding", "chunked")],
    "te": [*GOOD[:4], ("te", "gzip")],
}


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD.keys())
def test_malformed_requests(headers: Headers) -> None:
    assert request_fault(headers)
    assert not request_fault(GOOD)


@pytest.mark.parametrize(
    ("stated", "size"), [((), None), (("5",), 5), (("5", "5"), 5), (("5", "6"), -1), (("x",), -1), (("9" * 30,), -1)]
)
def test_content_length(stated: tuple[str, ...], size: int | None) -> None:
    headers = [*GOOD, *(("content-length", text) for text in stated)]
    assert body_size(headers) == size
    assert bool(judge_request(headers)[0]) == (size == -1)
