"""The partition of a record: as the Collector, Java and aiokafka choose it, or by turns."""

from __future__ import annotations

from collections import Counter

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka

from pipeline.kafka.producer.partitioners import (
    LeastBackup,
    RoundRobin,
    StickyKey,
    murmur2,
    murmur2_hash,
    sarama_compat,
)

# Kafka's own cases (clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2).
OF_JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
# 32-bit FNV-1a (draft-eastlake-fnv, appendix C).
FNV1A = {b"": 0x811C9DC5, b"a": 0xE40C292C, b"fo": 0x6222E842, b"foobar": 0xBF9CF968, b"chongo was here!\n": 0xD49930D5}
SIGN_BIT = 1 << 31


def nothing_waits(_partition: int) -> int:
    return 0


@pytest.mark.parametrize("key", OF_JAVA)
def test_murmur2_is_that_of_java(key: bytes) -> None:
    assert murmur2_hash(key) == OF_JAVA[key] % (1 << 32)


@pytest.mark.parametrize("length", range(12))
def test_murmur2_is_that_of_aiokafka(length: int) -> None:
    for seed in range(20):
        key = bytes((seed * 37 + position * 101) % 256 for position in range(length))
        assert murmur2_hash(key) == murmur2_of_aiokafka(key)
        assert murmur2(key, 7) == (murmur2_of_aiokafka(key) & 0x7FFFFFFF) % 7


@pytest.mark.parametrize("key", FNV1A)
@pytest.mark.parametrize("partitions", [1, 3, 4, 12])
def test_sarama_compat_is_fnv_1a_as_a_signed_number_without_the_sign_of_its_remainder(
    key: bytes, partitions: int
) -> None:
    unsigned = FNV1A[key]
    signed = unsigned - (1 << 32) if unsigned & SIGN_BIT else unsigned
    assert sarama_compat(key, partitions) == abs(signed) % partitions


def test_keys_with_both_signs_are_among_the_cases() -> None:
    assert {bool(hashed & SIGN_BIT) for hashed in FNV1A.values()} == {True, False}


def test_equal_keys_go_to_one_partition() -> None:
    sticky = StickyKey(sarama_compat)
    chosen = {sticky.choose("spans", b"key", (0, 1, 2), nothing_waits) for _ in range(10)}
    assert chosen == {sarama_compat(b"key", 3)}


def test_records_without_a_key_stay_until_a_batch_has_ended() -> None:
    sticky = StickyKey(sarama_compat)
    seen: Counter[int] = Counter()
    for _ in range(100):
        first = sticky.choose("spans", None, (0, 1, 2), nothing_waits)
        assert {sticky.choose("spans", None, (0, 1, 2), nothing_waits) for _ in range(5)} == {first}
        sticky.batch_ended("spans", (first + 1) % 3)
        assert sticky.choose("spans", None, (0, 1, 2), nothing_waits) == first
        sticky.batch_ended("spans", first)
        seen[first] += 1
    assert set(seen) == {0, 1, 2}


def test_an_empty_key_is_a_key() -> None:
    sticky = StickyKey(sarama_compat)
    assert sticky.choose("spans", b"", (0, 1, 2), nothing_waits) == sarama_compat(b"", 3)


def test_round_robin_takes_turns_for_each_topic() -> None:
    turns = RoundRobin()
    chosen = [turns.choose("spans", b"same", (0, 1, 2), nothing_waits) for _ in range(4)]
    assert chosen == [0, 1, 2, 0]
    assert turns.choose("logs", b"same", (0, 1, 2), nothing_waits) == 0
    turns.batch_ended("spans", 0)
    assert turns.choose("spans", b"same", (0, 1, 2), nothing_waits) == 1


def test_least_backup_goes_where_the_fewest_wait() -> None:
    waiting = {0: 5, 1: 2, 2: 9}
    least = LeastBackup()
    assert least.choose("spans", b"any", (0, 1, 2), waiting.__getitem__) == 1
    waiting[1] = 20
    assert least.choose("spans", b"any", (0, 1, 2), waiting.__getitem__) == 1
    least.batch_ended("spans", 1)
    assert least.choose("spans", b"any", (0, 1, 2), waiting.__getitem__) == 0
