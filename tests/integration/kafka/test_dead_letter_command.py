"""`penstock dead-letter` with a real broker: what it prints, what it writes back, what it remembers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.dead_letter import PREFIX, DeadLetter
from pipeline.errors import PenstockError
from pipeline.kafka.command.dead_letter import dead_letter
from pipeline.kafka.dead_letters import read_headers
from tests.servers.kafka.traffic import own_name

if TYPE_CHECKING:
    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server

REASONS = ("undecodable", "rejected", "rejected", "undecodable")


class Topics:
    """A topic of spans, its dead letters, and the command for them."""

    def __init__(self, kafka: Traffic, spans: str, dead: str) -> None:
        self.kafka, self.spans, self.dead = kafka, spans, dead
        self.group = own_name("replay")

    async def bury(self, number: int, reason: str, *, spans: str | None = None, partition: int = 0) -> None:
        letter = DeadLetter(
            reason, "malformed \x1b[31m protobuf", "kafka", self.spans if spans is None else spans, 1, number,
            signal="traces", encoding="otlp_proto", time_unix_ms=1_700_000_000_000,
        )  # fmt: skip
        ours = [(name, text.encode()) for name, text in letter.as_texts().items()]
        headers = [("tenant", b"a"), ("tenant", b"\xff"), *ours]
        value, key = f"value {number}".encode(), f"key {number}".encode()
        await self.kafka.write(self.dead, value, partition=partition, key=key, headers=headers)

    async def run(self, action: str, *arguments: str) -> int:
        argv = [action, "--brokers", self.kafka.bootstrap, "--topic", self.dead, "--group", self.group, *arguments]
        return await asyncio.to_thread(dead_letter, argv)

    async def replayed(self, count: int) -> list[Any]:
        return await self.kafka.read(self.spans, count, partition=1)


@pytest.fixture
async def topics(kafka: Traffic) -> Topics:
    made = Topics(kafka, await kafka.make(own_name("spans"), 2), await kafka.make(own_name("dead"), 2))
    for number, reason in enumerate(REASONS):
        await made.bury(number, reason)
    return made


async def test_list_says_where_and_why_and_not_what(topics: Topics, capsys: pytest.CaptureFixture[str]) -> None:
    await topics.kafka.write(topics.dead, b"a stranger")
    assert await topics.run("list") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[1].split("\t") == [
        f"{topics.dead}/0@1", "2023-11-14T22:13:20.000Z", "rejected", "kafka", f"from {topics.spans}/1@1", "attempt 1",
        "7 bytes", "malformed  [31m protobuf",
    ]  # fmt: skip
    assert "value" not in out
    assert err == "1 records in between are no dead letters\n"


async def test_list_as_json_with_payload(topics: Topics, capsys: pytest.CaptureFixture[str]) -> None:
    assert await topics.run("list", "--json", "--payload", "--reason", "undecodable", "--limit", "1") == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["value_base64"] == "dmFsdWUgMA=="
    assert told["headers"][:2] == [
        {"name": "tenant", "value_base64": "YQ=="},
        {"name": "tenant", "value_base64": "/w=="},
    ]
    assert told["origin"] == {"topic": topics.spans, "partition": 1, "offset": 0}


async def test_replay_writes_the_record_as_it_was_and_goes_on_behind(
    topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await topics.run("replay", "--limit", "3") == 0
    assert capsys.readouterr().out == (
        f"2 records replayed to {topics.spans} (rejected)\n1 records replayed to {topics.spans} (undecodable)\n"
    )
    first, *_ = await topics.replayed(3)
    assert (first.value, first.key) == (b"value 0", b"key 0")
    assert list(first.headers) == [("tenant", b"a"), ("tenant", b"\xff"), (PREFIX + "attempt", b"2")]

    assert await topics.run("replay") == 0
    assert await topics.run("replay") == 0
    assert capsys.readouterr().out.endswith("nothing replayed\n")
    assert [record.value for record in await topics.replayed(4)] == [f"value {n}".encode() for n in range(4)]
    assert await topics.run("list", "--waiting") == 0
    assert capsys.readouterr().out == ""
    await topics.run("list")
    assert capsys.readouterr().out.count("\treplayed\t") == 4


async def test_a_replay_of_one_reason_leaves_the_others_to_the_next(topics: Topics) -> None:
    await topics.run("replay", "--reason", "rejected")
    assert [record.value for record in await topics.replayed(2)] == [b"value 1", b"value 2"]
    await topics.bury(4, "rejected")
    await topics.run("replay")
    values = [record.value for record in await topics.replayed(5)]
    assert values[2:] == [b"value 0", b"value 3", b"value 4"]


async def test_a_dry_run_writes_and_remembers_nothing(topics: Topics, capsys: pytest.CaptureFixture[str]) -> None:
    assert await topics.run("replay", "--dry-run", "--limit", "2") == 0
    assert capsys.readouterr().out.endswith("2 records would be replayed\n")
    await topics.run("replay")
    assert len(await topics.replayed(4)) == 4


async def test_replay_to_another_topic_goes_by_the_key(topics: Topics) -> None:
    other = await topics.kafka.make(own_name("other"))
    await topics.run("replay", "--to", other)
    assert len(await topics.kafka.read(other, 4)) == 4


async def test_what_has_no_home_stops_its_partition_unless_it_is_skipped(
    topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    await topics.bury(4, "rejected", spans="")
    await topics.bury(5, "rejected")
    await topics.bury(6, "rejected", partition=1)
    assert await topics.run("replay") == 1
    err = capsys.readouterr().err
    assert err == f"left, with what is behind it, {topics.dead}/0@4: no topic of origin; name one with --to\n"
    assert max(record.value for record in await topics.replayed(5)) == b"value 6"

    assert await topics.run("replay", "--skip") == 0
    assert "passed over" in capsys.readouterr().err
    assert (await topics.replayed(6))[-1].value == b"value 5"


async def test_a_record_that_fails_again_says_which_attempt_it_was(topics: Topics) -> None:
    await topics.run("replay", "--limit", "1")
    (record,) = await topics.replayed(1)
    from pipeline.kafka.dead_letters import dead_letter_headers

    again = read_headers(dead_letter_headers(record, DeadLetter("rejected")))
    assert again is not None
    assert (again.attempt, again.topic, again.partition, again.offset) == (2, topics.spans, 1, 0)


async def test_a_topic_that_is_not_there(topics: Topics) -> None:
    topics.dead = own_name("nowhere")
    with pytest.raises(PenstockError, match=f"there is no topic {topics.dead}"):
        await topics.run("list")


def test_a_broker_that_is_not_there() -> None:
    with pytest.raises(PenstockError, match="kafka: nothing listens at the broker's address"):
        dead_letter(["list", "--brokers", "127.0.0.1:1", "--topic", "dead"])
