"""Record batches of Kafka's message format 2 (KIP-98), encoded and compressed before they are handed to the client.

The client's own builder copies each record twice, compresses on the event loop and takes no level.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from pipeline.signals.wire import encode_varint

Headers: TypeAlias = tuple[tuple[str, bytes], ...]

HEADER_BYTES: Final = 61
_HEADER: Final = struct.Struct(">qiibI")
_BEHIND_CRC: Final = struct.Struct(">hiqqqhii")
# The length field counts what stands behind it; the leader's epoch is the broker's business.
_BEFORE_LENGTH: Final = 12
_NO_EPOCH: Final = -1
_MAGIC: Final = 2
_NO_PRODUCER: Final = (-1, -1, -1)
# A record's length, attributes, time and offset differences and the lengths of its parts, at the most.
_RECORD_OVERHEAD_BYTES: Final = 32

CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""Numbers of the codecs in the attributes of a batch."""
# gzip: zlib's default; zstd: that of Kafka's clients (KIP-390); lz4: the fast one, as the Collector's.
_DEFAULT_LEVELS: Final = {"gzip": 6, "lz4": 0, "zstd": 2}
_GZIP_WBITS: Final = zlib.MAX_WBITS | 16
HUFFMAN_ONLY: Final = -2
"""A level of gzip (Go's compress/flate)."""
_ZSTD_LEVELS: Final = (-7, 22)
_SLOW_BYTES: Final = 128 << 10
_FAST_BYTES: Final = 1 << 20

Compress: TypeAlias = Callable[[bytes], bytes]


class OutRecord(NamedTuple):
    """A record to be written.

    Attributes:
        topic: where it goes.
        value: its bytes; None is a tombstone.
        key: decides on the partition, by hash; None: none.
        headers: names and values, in order.
        partition: where it goes whatever its key; None: as the partitioner says.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None

    @property
    def size_bytes(self) -> int:
        """An upper bound of its encoded size."""
        size = _RECORD_OVERHEAD_BYTES + len(self.value or b"") + len(self.key or b"")
        return size + len(_encoded_headers(self.headers)) if self.headers else size


def compressor(codec: str, level: int) -> Compress | None:
    """What compresses the records of a batch; None for `none`. `level` 0 or -1: the codec's default.

    It is for one thread at a time.

    Raises:
        ImportError: a library is missing.
    """
    if codec == "none":
        return None
    used = _DEFAULT_LEVELS.get(codec, 0) if level in (0, -1) else level
    if codec == "gzip":
        return _huffman_only if used == HUFFMAN_ONLY else lambda raw: zlib.compress(raw, used, wbits=_GZIP_WBITS)
    if codec == "zstd":
        import zstandard  # noqa: PLC0415 - only where it is used

        return zstandard.ZstdCompressor(max(_ZSTD_LEVELS[0], min(used, _ZSTD_LEVELS[1]))).compress
    import cramjam  # noqa: F401, PLC0415 - what the client's functions need
    from aiokafka import codec as codecs  # noqa: PLC0415 - only those who use Kafka have it

    if codec == "snappy":
        return codecs.snappy_encode  # type: ignore[no-any-return]  # aiokafka has no types
    return lambda raw: codecs.lz4_encode(raw, used)


def is_slow(codec: str, level: int, size_bytes: int) -> bool:
    """Whether so many bytes take more than about 5 ms to compress."""
    thorough = codec == "gzip" or (codec == "zstd" and level > _DEFAULT_LEVELS["zstd"])
    return size_bytes > (_SLOW_BYTES if thorough else _FAST_BYTES)


def _huffman_only(raw: bytes) -> bytes:
    packer = zlib.compressobj(wbits=_GZIP_WBITS, strategy=zlib.Z_HUFFMAN_ONLY)
    return packer.compress(raw) + packer.flush()


def encode_records(records: Sequence[OutRecord]) -> bytes:
    """The records of a batch, all of the batch's own time."""
    parts: list[bytes] = []
    add = parts.append
    for offset, (_, value, key, headers, _) in enumerate(records):
        head = b"\0\0" + _varint(offset)
        key_head = _NO_BYTES if key is None else _varint(len(key)) + key
        body = value or b""
        value_head = _NO_BYTES if value is None else _varint(len(body))
        tail = _encoded_headers(headers) if headers else b"\0"
        add(_varint(len(head) + len(key_head) + len(value_head) + len(body) + len(tail)))
        add(head + key_head + value_head)
        add(body)
        add(tail)
    return b"".join(parts)


@lru_cache(maxsize=8192)
def _varint(value: int) -> bytes:
    """A zigzag varint of a number that is not negative."""
    return encode_varint(value << 1)


_NO_BYTES: Final = b"\x01"
"""Length -1, zigzag."""


@lru_cache(maxsize=256)
def _encoded_headers(headers: Headers) -> bytes:
    parts = [_varint(len(headers))]
    for name, value in headers:
        raw = name.encode()
        parts += [_varint(len(raw)), raw, _varint(len(value)), value]
    return b"".join(parts)


class ReadyBatch:
    """A closed batch, in the form in which `AIOKafkaProducer.send_batch` takes one.

    The client asks for its bytes when it sends, and says before that which producer and sequence number they get.
    """

    def __init__(self, body: bytes, codec: str, count: int, time_ms: int, *, raw_bytes: int = 0) -> None:
        """`body`: `count` encoded records, compressed by `codec`; `time_ms`: their time, since the epoch.

        `raw_bytes`: what they were before they were compressed.
        """
        self.raw_bytes = raw_bytes or len(body)
        self._body = body
        self._attributes = CODECS[codec]
        self._count = count
        self._time_ms = time_ms
        self._producer = _NO_PRODUCER
        self._raw: bytes | None = None

    def closed(self) -> bool:
        """Nothing can be added, so the client does not wait for more."""
        return True

    def close(self) -> None:
        """It is closed."""

    def record_count(self) -> int:
        """Records in it, which sequence numbers count."""
        return self._count

    def size(self) -> int:
        """Bytes on the wire."""
        return HEADER_BYTES + len(self._body)

    def append(self, **_: object) -> None:
        """Take no more: None tells the client that the batch is full."""

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytes:
        if self._raw is None:
            self._raw = self._encoded()
        return self._raw

    def _encoded(self) -> bytes:
        from aiokafka.record.util import calc_crc32c  # noqa: PLC0415 - only those who use Kafka have it

        time_ms, last = self._time_ms, self._count - 1
        behind = _BEHIND_CRC.pack(self._attributes, last, time_ms, time_ms, *self._producer, self._count) + self._body
        length = HEADER_BYTES - _BEHIND_CRC.size - _BEFORE_LENGTH + len(behind)
        return _HEADER.pack(0, length, _NO_EPOCH, _MAGIC, calc_crc32c(behind)) + behind
