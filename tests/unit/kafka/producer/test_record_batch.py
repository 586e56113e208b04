"""Batches of records, as aiokafka reads them."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from pipeline.kafka.producer.record_batch import (
    CODECS,
    HEADER_BYTES,
    OutRecord,
    ReadyBatch,
    compressor,
    encode_records,
    is_slow,
)

RECORDS = [
    OutRecord("spans", b"value", b"key", (("tenant", b"a"), ("schema", b""))),
    OutRecord("spans", b"", None),
    OutRecord("spans", None, b"tombstone"),
    OutRecord("spans", b"v" * 20_000, b""),
]
TIME_MS = 1_700_000_000_000


def built(records: list[OutRecord], codec: str = "none", level: int = 0) -> bytes:
    raw = encode_records(records)
    compress = compressor(codec, level)
    batch = ReadyBatch(raw if compress is None else compress(raw), codec, len(records), TIME_MS)
    batch._set_producer_state(77, 3, 1000)
    assert batch.size() == len(batch._build())
    return batch._build()


def read(raw: bytes) -> tuple[Any, list[Any]]:
    batch = DefaultRecordBatch(raw)
    assert batch.validate_crc()
    return batch, list(batch)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_written_is_read(codec: str) -> None:
    batch, found = read(built(RECORDS, codec))
    assert [(each.value, each.key, each.headers) for each in found] == [
        (each.value, each.key, list(each.headers)) for each in RECORDS
    ]
    assert [each.offset for each in found] == [0, 1, 2, 3]
    assert {each.timestamp for each in found} == {TIME_MS}
    assert batch.compression_type == CODECS[codec]
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (77, 3, 1000)


def test_uncompressed_bytes_are_those_of_the_clients_own_builder() -> None:
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=77, producer_epoch=3, base_sequence=1000, batch_size=1 << 20
    )
    for offset, record in enumerate(RECORDS):
        builder.append(offset, TIME_MS, record.key, record.value, list(record.headers))
    assert built(RECORDS) == bytes(builder.build())


def test_a_batch_is_closed() -> None:
    batch = ReadyBatch(b"", "none", 1, TIME_MS)
    batch.close()
    assert batch.closed()
    assert batch.append() is None  # type: ignore[func-returns-value]  # what the client asks
    assert batch.record_count() == 1


def test_an_estimate_is_never_below_the_size() -> None:
    for record in RECORDS:
        assert len(encode_records([record])) <= record.size_bytes
    assert len(encode_records(RECORDS)) + HEADER_BYTES == len(built(RECORDS))


@pytest.mark.parametrize(("codec", "low", "high"), [("gzip", 1, 9), ("zstd", 1, 19)])
def test_level(codec: str, low: int, high: int) -> None:
    records = [OutRecord("spans", bytes(i * j % 251 for j in range(i, 4000)), None) for i in range(1, 20)]
    fast, small = built(records, codec, low), built(records, codec, high)
    assert len(small) < len(fast)
    assert [each.value for each in read(small)[1]] == [each.value for each in records]
    assert built(records, codec, -1) == built(records, codec, 0)


@pytest.mark.parametrize(("codec", "level"), [("gzip", -2), ("zstd", 1000), ("zstd", -1000)])
def test_levels_at_the_edge(codec: str, level: int) -> None:
    assert [each.value for each in read(built(RECORDS, codec, level))[1]] == [each.value for each in RECORDS]


def test_what_is_slow_to_compress() -> None:
    assert is_slow("gzip", 0, 1_000_000)
    assert is_slow("zstd", 19, 1_000_000)
    assert not is_slow("zstd", 0, 1_000_000)
    assert is_slow("zstd", 0, 10_000_000)
