"""Chunks in log records: remembered until their span comes, in few bytes and not for long."""

from __future__ import annotations

import tracemalloc

import pytest

from pipeline.testing import START_NS, FakeClock, configured, make_host
from processors.gen_ai_latency import GenAiLatency
from processors.gen_ai_latency.memory import ENTRY_BYTES, GENERATION_S, ChunkMemory, memory_of

ID = bytes(15) + b"\1", bytes(7) + b"\2"
MIB = 1 << 20


def memory(limit_bytes: int = MIB) -> ChunkMemory:
    found = ChunkMemory()
    found.limit_bytes = limit_bytes
    return found


def test_the_first_and_the_last_chunk_are_remembered_whatever_came_first() -> None:
    chunks = memory()
    for time_ns in (30, 10, 20):
        chunks.add(*ID, "gen_ai.content.chunk", time_ns, 0.0)
    found = chunks.find(*ID)
    assert found is not None
    assert found == ("log gen_ai.content.chunk", 10, 30)


@pytest.mark.parametrize(
    ("trace_id", "span_id", "time_ns"), [(b"", ID[1], 5), (ID[0], b"", 5), (b"", b"", 5), (*ID, 0)]
)
def test_chunks_without_ids_or_time_are_none(trace_id: bytes, span_id: bytes, time_ns: int) -> None:
    chunks = memory()
    chunks.add(trace_id, span_id, "gen_ai.content.chunk", time_ns, 0.0)
    assert not chunks


def test_a_memory_of_no_bytes_remembers_nothing() -> None:
    chunks = memory(0)
    chunks.add(*ID, "gen_ai.content.chunk", 5, 0.0)
    assert not chunks.knows(*ID)


def test_chunks_are_forgotten() -> None:
    chunks = memory()
    chunks.add(*ID, "gen_ai.content.chunk", 5, 0.0)
    chunks.forget(GENERATION_S + 1)
    assert chunks.knows(*ID)
    chunks.forget(3 * GENERATION_S)
    assert not chunks.knows(*ID)
    assert not chunks


def test_the_memory_stays_within_its_bytes() -> None:
    chunks = memory()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        chunks.add(
            number.to_bytes(16, "big"), number.to_bytes(8, "big"), "gen_ai.content.chunk", START_NS + number, 0.0
        )
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used <= MIB
    assert len(chunks) * ENTRY_BYTES <= MIB
    assert chunks.knows((19_999).to_bytes(16, "big"), (19_999).to_bytes(8, "big"))


def test_one_memory_serves_all_pipelines_of_a_component_and_outlives_a_reload() -> None:
    host = make_host("gen_ai_latency")
    first = memory_of(host, MIB)
    again = make_host("gen_ai_latency", registry=host.meter.registry, clock=FakeClock())
    other = make_host("gen_ai_latency/other", registry=host.meter.registry)
    assert memory_of(again, MIB) is first
    assert memory_of(other, MIB) is not first


def test_a_component_can_be_told_to_remember_nothing() -> None:
    host = make_host("gen_ai_latency")
    configured(GenAiLatency, host, memory_mib=0)
    assert memory_of(host, 0).limit_bytes == 0
