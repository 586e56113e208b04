from __future__ import annotations

import gzip
import os
import zlib
from contextlib import suppress

import cramjam
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transport.compression import CODINGS, Malformed, TooLarge, available, compress, decompress

TEXT = b"What does the model say? " * 400 + os.urandom(500)
LIMIT = 1 << 20


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("raw", [b"", b"x", TEXT, bytes(300_000)])
def test_round_trip(coding: str, raw: bytes) -> None:
    assert available(coding)
    assert decompress(coding, compress(coding, raw), LIMIT) == raw
    assert decompress(coding, compress(coding, raw), len(raw)) == raw


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("raw", [TEXT, bytes(30_000_000)])
def test_too_large(coding: str, raw: bytes) -> None:
    with pytest.raises(TooLarge):
        decompress(coding, compress(coding, raw), len(TEXT) - 1)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("cut", [1, 5, 100])
def test_cut_off(coding: str, cut: int) -> None:
    with pytest.raises(Malformed):
        decompress(coding, compress(coding, TEXT)[:-cut], LIMIT)


@pytest.mark.parametrize("coding", CODINGS)
@given(raw=st.binary(max_size=200))
def test_garbage_is_malformed_or_within_the_limit(coding: str, raw: bytes) -> None:
    with suppress(Malformed, TooLarge):
        assert len(decompress(coding, raw, 100)) <= 100


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.data())
def test_damage_is_malformed_or_within_the_limit(coding: str, data: st.DataObject) -> None:
    raw = bytearray(compress(coding, TEXT))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Malformed, TooLarge):
        assert len(decompress(coding, bytes(raw), LIMIT)) <= LIMIT


@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("gzip", gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0)),
        ("zstd", zstandard.compress(b"one") + zstandard.compress(b"two")),
    ],
)
def test_members_follow_each_other(coding: str, raw: bytes) -> None:
    assert decompress(coding, raw, 6) == b"onetwo"
    with pytest.raises(TooLarge):
        decompress(coding, raw, 5)


def test_zstd_without_size_in_its_header() -> None:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    raw = stream.compress(TEXT) + stream.flush()
    assert decompress("zstd", raw, LIMIT) == TEXT
    with pytest.raises(TooLarge):
        decompress("zstd", raw, len(TEXT) - 1)


def test_snappy_is_taken_in_block_and_in_framed_format() -> None:
    assert decompress("snappy", bytes(cramjam.snappy.compress_raw(TEXT)), LIMIT) == TEXT
    assert decompress("snappy", bytes(cramjam.snappy.compress(TEXT)), LIMIT) == TEXT


def test_deflate_is_zlib() -> None:
    assert decompress("deflate", zlib.compress(TEXT), LIMIT) == TEXT
    with pytest.raises(Malformed):
        decompress("deflate", zlib.compress(TEXT, wbits=-15), LIMIT)


@pytest.mark.parametrize("coding", ["gzip", "zlib", "zstd"])
def test_levels(coding: str) -> None:
    raw = b"".join(b"%d " % (number * number) for number in range(20_000))
    assert compress(coding, raw, 9) != compress(coding, raw, 1)


@pytest.mark.parametrize("coding", ["snappy", "x-snappy-framed", "lz4"])
def test_a_coding_without_its_library_is_the_clients_error(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = compress(coding, b"text")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    available.cache_clear()
    try:
        with pytest.raises(Malformed, match="lacks its library"):
            decompress(coding, raw, 100)
        assert decompress("gzip", compress("gzip", b"text"), 100) == b"text"
    finally:
        available.cache_clear()
