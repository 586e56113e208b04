"""Files of anybody: what is in them is read, or refused in words."""

from __future__ import annotations

import struct

import pytest
import zstandard

from pipeline.signals import Signal
from pipeline.testing import trace_request
from processors.demo.files import batches

RAW = trace_request({"a": 1}).SerializeToString()
# A frame header (RFC 8878, section 3.1.1.1) that says 32 TiB, and an empty last block.
LIAR = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 45) + b"\x01\x00\x00"


@pytest.mark.parametrize("data", [RAW, zstandard.compress(RAW), len(RAW).to_bytes(4, "big") + RAW])
def test_a_request(data: bytes) -> None:
    assert [batch.serialize() for batch in batches(data, Signal.TRACES)] == [RAW]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LIAR, "says that it is larger than"),
        (len(LIAR).to_bytes(4, "big") + LIAR, "says that it is larger than"),
        (zstandard.compress(RAW)[:-4], "not zstd, or damaged"),
        (b"{" * 100_000, "neither a request of OTLP/JSON"),
    ],
)
def test_what_is_none(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(batches(data))
