"""A partition that cannot be read does not stop the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException, KafkaError

from pipeline.receivers.kafka import reading
from pipeline.receivers.kafka.reading import Reader
from tests.unit.receivers.kafka.records import Rec


class Client:
    """What a client does with partitions, some of which cannot be read."""

    def __init__(self, ends: dict[str, int]) -> None:
        self.ends = ends
        self.at = dict.fromkeys(ends, 0)
        self.bad: set[str] = set()
        self.paused: set[str] = set()

    def seek(self, partition: str, offset: int) -> None:
        self.at[partition] = offset

    def pause(self, partition: str) -> None:
        self.paused.add(partition)

    def resume(self, partition: str) -> None:
        self.paused.discard(partition)

    async def getmany(self, *partitions: str, timeout_ms: int, max_records: int) -> dict[str, list[Any]]:
        await asyncio.sleep(0)
        found = {}
        for partition in partitions or self.ends:
            if partition in self.paused:
                continue
            at, self.at[partition] = self.at[partition], self.ends[partition]
            if partition in self.bad:
                # The others' records go with it, and the client thinks that we have them.
                raise CorruptRecordException
            if at < self.ends[partition]:
                found[partition] = [Rec(b"", offset) for offset in range(at, self.ends[partition])]
        return found


class Read:
    """What a reader has found, by partition."""

    def __init__(self, client: Client) -> None:
        self.errors: list[BaseException] = []
        self.reader = Reader(client, self.errors.append)
        self.reader.start(dict.fromkeys(client.ends, 0))
        self.offsets: dict[str, list[int]] = {partition: [] for partition in client.ends}

    async def some(self, times: int = 3) -> dict[str, list[int]]:
        for _ in range(times):
            for partition, records in (await self.reader.read(())).items():
                self.offsets[partition] += [record.offset for record in records]
        return self.offsets


async def test_the_others_are_read_to_the_last_record() -> None:
    client = Client({"a": 3, "bad": 3, "c": 2})
    client.bad.add("bad")
    read = Read(client)
    assert await read.some() == {"a": [0, 1, 2], "bad": [], "c": [0, 1]}
    assert client.paused == read.reader.barred == {"bad"}
    client.ends["a"] = 5
    assert await read.some() == {"a": [0, 1, 2, 3, 4], "bad": [], "c": [0, 1]}
    assert len(read.errors) == 2


async def test_it_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_APART_S", 0.2)
    client = Client({"a": 1, "bad": 2, "held": 1})
    client.bad.add("bad")
    client.paused.add("held")
    read = Read(client)
    await read.some()
    client.bad.clear()
    async with asyncio.timeout(60):
        while not read.offsets["bad"]:
            await asyncio.sleep(0.05)
            await read.some()
    assert read.offsets == {"a": [0], "bad": [0, 1], "held": []}
    assert (client.paused, read.reader.barred) == ({"held"}, set())


async def test_what_others_hold_back_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_APART_S", 0.01)
    client = Client({"a": 1, "bad": 2})
    client.bad.add("bad")
    read = Read(client)
    await read.some(2)
    await asyncio.sleep(0.02)
    await read.reader.read({"bad"})
    assert (client.paused, read.reader.barred) == ({"bad"}, set())


async def test_a_client_of_no_use() -> None:
    client = Client({"a": 1, "b": 1})
    client.bad.update("ab")
    with pytest.raises(CorruptRecordException):
        await Read(client).some()


async def test_an_error_before_anything_is_ours() -> None:
    client = Client({"a": 1})
    client.bad.add("a")
    read = Read(client)
    read.reader.start({})
    with pytest.raises(KafkaError):
        await read.some()
