from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.clock import SystemClock
from pipeline.component import Stage
from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.exporters.file import FileExporter
from pipeline.receivers.otlpjsonfile import OtlpJsonFileConfig, OtlpJsonFileReceiver
from pipeline.signals import Batch, DataPoint, Signal, otlp_json
from pipeline.testing import CollectingSink, FailingSink, configured, logs, make_host, metric_value, metrics, traces


class _HurriedClock(SystemClock):
    """Real time, except that nobody waits long."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


@contextlib.asynccontextmanager
async def _started(
    include: Path | str, sink: Stage, signals: frozenset[Signal] = frozenset(Signal), **config: Any
) -> AsyncIterator[OtlpJsonFileReceiver]:
    host = make_host("otlpjsonfile", clock=_HurriedClock())
    config = {"start_at": "beginning", "poll_interval": 0.01, "include": [str(include)]} | config
    config.setdefault("include_file_name", False)
    receiver: OtlpJsonFileReceiver = configured(OtlpJsonFileReceiver, host, **config)
    receiver.connect(dict.fromkeys(signals, sink))
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


def _line(batch: Batch) -> bytes:
    return otlp_json.encode(batch.message) + b"\n"


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _texts(sink: CollectingSink) -> list[Any]:
    return [record.attributes["a"] for record in sink.records()]


async def test_reads_what_the_file_exporter_writes(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    batches = [traces({"a": 1}), logs("hello"), metrics({"m": [1.5]})]
    exporter = configured(FileExporter, path=str(path))
    await exporter.start()
    for batch in batches:
        await exporter.export(batch)
    await exporter.stop()
    sink = CollectingSink()
    async with _started(path, sink) as receiver:
        await sink.wait_for(3)
    assert [batch.message for batch in sink.batches] == [batch.message for batch in batches]
    assert sink.batches[0].context.receiver == "otlpjsonfile"
    for items in ("spans", "log_records", "metric_points"):
        assert metric_value(receiver.host, f"otelcol_receiver_accepted_{items}_total", transport="file") == 1


async def test_records_name_their_file(tmp_path: Path) -> None:
    path, link = tmp_path / "real.json", tmp_path / "link.json"
    own = {"log.file.name": "another"}
    _append(path, _line(traces(own)) + _line(logs("x", attributes=own)) + _line(metrics({"m": [1]})))
    link.symlink_to(path)
    names = ("include_file_name", "include_file_path", "include_file_name_resolved", "include_file_path_resolved")
    sink = CollectingSink()
    async with _started(link, sink, frozenset(Signal), **dict.fromkeys(names, True)):
        await sink.wait_for(3)
    span, record, point = sink.records()
    expected = {
        "log.file.name": "link.json",
        "log.file.path": str(link),
        "log.file.name_resolved": "real.json",
        "log.file.path_resolved": str(path.resolve()),
    }
    assert span.attributes == record.attributes == expected
    assert isinstance(point, DataPoint)
    assert {pair.key: pair.value.string_value for pair in point.metric.pb.metadata} == expected


async def test_records_name_their_file_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    _append(path, _line(traces({})))
    sink = CollectingSink()
    async with _started(path, sink, include_file_name=True):
        await sink.wait_for(1)
    assert sink.records()[0].attributes == {"log.file.name": "in.json"}


async def test_follows_growth_and_new_files(tmp_path: Path) -> None:
    sink = CollectingSink()
    async with _started(tmp_path / "*.json", sink):
        _append(tmp_path / "a.json", _line(traces({"a": 1})))
        await sink.wait_for(1)
        _append(tmp_path / "a.json", _line(traces({"a": 2})))
        _append(tmp_path / "ignored.txt", _line(traces({"a": 0})))
        await sink.wait_for(2)
        _append(tmp_path / "b.json", _line(traces({"a": 3})))
        await sink.wait_for(3)
    assert _texts(sink) == [1, 2, 3]


async def test_start_at_end_skips_what_files_hold_at_start(tmp_path: Path) -> None:
    _append(tmp_path / "a.json", _line(traces({"a": 1})))
    sink = CollectingSink()
    async with _started(tmp_path / "*.json", sink, start_at="end"):
        _append(tmp_path / "a.json", _line(traces({"a": 2})))
        await sink.wait_for(1)
        _append(tmp_path / "b.json", _line(traces({"a": 3})))
        await sink.wait_for(2)
    assert _texts(sink) == [2, 3]


async def test_exclude_and_deep_patterns(tmp_path: Path) -> None:
    for name in ("a.json", "deep/er/b.json", "deep/skip.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        _append(tmp_path / name, _line(traces({"a": name})))
    sink = CollectingSink()
    async with _started(tmp_path / "**" / "*.json", sink, exclude=[str(tmp_path / "**" / "skip*")]):
        await sink.wait_for(2)
        await asyncio.sleep(0.05)
    assert _texts(sink) == ["a.json", "deep/er/b.json"]


async def test_replay_file_reads_again_and_again(tmp_path: Path) -> None:
    _append(tmp_path / "a.json", _line(traces({"a": 1})))
    sink = CollectingSink()
    async with _started(tmp_path / "a.json", sink, replay_file=True, start_at="end"):
        await sink.wait_for(3)
    assert set(_texts(sink)) == {1}


async def test_a_renamed_file_is_not_read_twice_and_its_end_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _append(path, _line(traces({"a": 1})))
    sink = CollectingSink()
    async with _started(path, sink):
        await sink.wait_for(1)
        path.rename(tmp_path / "a.json.1")
        _append(tmp_path / "a.json.1", _line(traces({"a": 2})))
        _append(path, _line(traces({"a": 3})))
        await sink.wait_for(3)
    assert sorted(_texts(sink)) == [1, 2, 3]


async def test_a_truncated_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _append(path, _line(traces({"a": "x" * 100})))
    sink = CollectingSink()
    async with _started(path, sink):
        await sink.wait_for(1)
        path.write_bytes(_line(traces({"a": 2})))
        await sink.wait_for(2)
    assert _texts(sink)[1] == 2


async def test_malformed_lines_are_counted_and_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.json"
    bad_id = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01"}]}]}]}\n'
    _append(path, b"hunter2\n\n  \n" + bad_id + b"{}\n" + _line(traces({"a": 1})))
    sink = CollectingSink()
    with caplog.at_level(logging.WARNING):
        async with _started(path, sink) as receiver:
            await sink.wait_for(1)
    assert metric_value(receiver.host, "penstock_receiver_malformed_lines_total") == 2
    shown = [str(record.__dict__["fields"]) for record in caplog.records]
    assert len(shown) == 2
    assert not any("hunter2" in fields for fields in shown)


async def test_a_line_the_pipeline_refuses_is_offered_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _append(path, _line(traces({"a": 1})) + _line(traces({"a": 2})))
    errors: list[DeliveryError | None] = [Refused("full"), Refused("full", retry_after_s=5), None, Refused("full")]
    sink = FailingSink(errors)
    async with _started(path, sink) as receiver:
        await sink.taken.wait_for(2)
    assert _texts(sink.taken) == [1, 2]
    assert metric_value(receiver.host, "otelcol_receiver_refused_spans_total", transport="file") == 3


async def test_a_line_the_pipeline_rejects_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _append(path, _line(traces({"a": 1})) + _line(traces({"a": 2})))
    sink = FailingSink([Rejected("never")])
    async with _started(path, sink):
        await sink.taken.wait_for(1)
    assert _texts(sink.taken) == [2]


async def test_signals_without_a_pipeline_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _append(path, _line(logs("x")) + _line(metrics({"m": [1]})) + _line(traces({"a": 1})))
    sink = CollectingSink()
    async with _started(path, sink, frozenset({Signal.TRACES})):
        await sink.wait_for(1)
    assert [batch.signal for batch in sink.batches] == [Signal.TRACES]


async def test_large_lines(tmp_path: Path) -> None:
    _append(tmp_path / "a.json", _line(traces({"a": "x" * (3 << 20)})))
    sink = CollectingSink()
    async with _started(tmp_path / "a.json", sink):
        await sink.wait_for(1)
    assert len(_texts(sink)[0]) == 3 << 20


async def test_a_reload_reads_on_and_takes_new_patterns(tmp_path: Path) -> None:
    _append(tmp_path / "a.json", _line(traces({"a": 1})))
    _append(tmp_path / "b.json", _line(traces({"a": 3})))
    sink = CollectingSink()
    async with _started(tmp_path / "a.json", sink) as receiver:
        await sink.wait_for(1)
        assert await receiver.reconfigure(OtlpJsonFileConfig(include=(str(tmp_path / "*.json"),), poll_interval=0.01))
        _append(tmp_path / "a.json", _line(traces({"a": 2})))
        await sink.wait_for(3)
    assert sorted(_texts(sink)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "name at least one pattern"),
        ({"include": ["a"], "start_at": "middle"}, "'beginning' or 'end'"),
        ({"include": ["a"], "poll_interval": 0.0}, "greater than 0"),
        ({"include": ["a"], "storage": "file_storage"}, "positions are kept in memory only"),
        ({"include": ["a"], "delete_after_read": True}, "never deleted"),
        ({"include": ["a"], "compression": "gzip"}, "only plain files"),
        ({"include": ["a"], "encoding": "utf-16"}, "OTLP JSON is UTF-8"),
        ({"include": ["a"], "include_file_owner_name": True}, "only the name and the path"),
        ({"include": ["a"], "include_file_owner_group_name": True}, "only the name and the path"),
        ({"include": ["a"], "include_file_record_number": True}, "only the name and the path"),
        ({"include": ["a"], "include_file_record_offset": True}, "only the name and the path"),
        ({"include": ["a"], "max_log_size": "1MiB"}, "64 MiB"),
        ({"include": ["a"], "multiline": {"line_end_pattern": "x"}}, "every line is one request"),
        ({"include": ["a"], "header": {"pattern": "x"}}, "every line is one request"),
        ({"include": ["a"], "preserve_leading_whitespaces": True}, "every line is one request"),
        ({"include": ["a"], "preserve_trailing_whitespaces": True}, "every line is one request"),
        ({"include": ["a"], "force_flush_period": "1s"}, "without a newline"),
        ({"include": ["a"], "fingerprint_size": "1kb"}, "known by their inode"),
        ({"include": ["a"], "max_concurrent_files": 5}, "all files that match"),
        ({"include": ["a"], "max_batches": 5}, "all files that match"),
        ({"include": ["a"], "ordering_criteria": {}}, "all files that match"),
        ({"include": ["a"], "exclude_older_than": "1h"}, "all files that match"),
        ({"include": ["a"], "polls_to_archive": 1}, "positions are kept in memory only"),
        ({"include": ["a"], "acquire_fs_lock": True}, "without locks"),
    ],
)
def test_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OtlpJsonFileConfig(**config)


def test_the_defaults_are_the_collectors() -> None:
    config = OtlpJsonFileConfig(include=("a",))
    assert (config.start_at, config.poll_interval, config.replay_file, config.exclude) == ("end", 0.2, False, ())
    assert (config.include_file_name, config.include_file_path) == (True, False)
