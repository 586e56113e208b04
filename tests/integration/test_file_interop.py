"""Files pass between Penstock and the real Collector in both directions, and both refuse the same JSON."""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from pipeline.clock import SystemClock
from pipeline.errors import Rejected
from pipeline.exporters.file import FileExporter
from pipeline.receivers.otlpjsonfile import OtlpJsonFileReceiver
from pipeline.signals import Batch, Request, Signal, otlp_json
from pipeline.testing import CollectingSink, configured, logs, make_host, metrics, traces
from tests.servers.backend import Backend
from tests.servers.collectors import otelcol
from tests.servers.processes import free_ports

pytestmark = pytest.mark.server

M = TypeVar("M", bound=Message)

ALL = ("traces", "logs", "metrics")


def _batches() -> list[Batch]:
    values: dict[str, Any] = {
        "text": "東京 \U0001f600 \u2028 \x7f",
        "int": -(2**63),
        "double": 1e-7,
        "bool": True,
        "list": ["a", 1, [2.5]],
        "map": {"bytes": b"\xff\x00", "empty": None},
    }
    return [traces(values), logs("hello", {"a": [1]}), metrics({"m": [0.1, -2]})]


def _relay(receivers: dict[str, Any], exporters: dict[str, Any]) -> dict[str, Any]:
    pipeline = {"receivers": list(receivers), "exporters": list(exporters)}
    return {"receivers": receivers, "exporters": exporters, "service": {"pipelines": dict.fromkeys(ALL, pipeline)}}


def _otlp_out(backend: Backend) -> dict[str, Any]:
    return {"otlp_grpc": {"endpoint": f"127.0.0.1:{backend.grpc_port}", "tls": {"insecure": True}}}


async def test_the_collector_reads_what_our_exporter_writes(tmp_path: Path, otlp_backend: Backend) -> None:
    path = tmp_path / "ours.json"
    batches = _batches()
    exporter = configured(FileExporter, make_host("file"), path=str(path))
    await exporter.start()
    for batch in batches:
        await exporter.export(batch)
    await exporter.stop()
    config = _relay(
        {"otlpjsonfile": {"include": [str(path)], "start_at": "beginning", "include_file_name": False}},
        _otlp_out(otlp_backend),
    )
    with otelcol(config, tmp_path / "collector", ports=[]):
        for batch in batches:
            bodies = otlp_backend.wait(batch.signal.value, lambda bodies: len(bodies) == 1)
            assert _pruned(batch.signal.request_class.FromString(bodies[0])) == _pruned(batch.message)


def _pruned(message: M) -> M:
    """Without messages that are set but empty: the Collector sends those that it holds by value in any case."""
    copy = type(message).FromString(message.SerializeToString())
    _prune(copy)
    return copy


def _prune(message: Message) -> None:
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                _prune(item)
            if not field.is_repeated and field.containing_oneof is None and not value.ByteSize():
                message.ClearField(field.name)


@contextlib.contextmanager
def _collector_writing(folder: Path, **file: Any) -> Iterator[int]:
    """A Collector that writes to `folder/theirs`; the value is its OTLP/HTTP port."""
    (port,) = free_ports(1)
    receivers = {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}}
    exporters = {"file": {"path": str(folder / "theirs"), "flush_interval": "50ms"} | file}
    with otelcol(_relay(receivers, exporters), folder / "collector", ports=[port]):
        yield port


def _post(port: int, signal: Signal, body: bytes, content_type: str = "application/json") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/{signal.value}", data=body, headers={"content-type": content_type}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


async def test_we_read_what_the_collector_writes(tmp_path: Path) -> None:
    batches = _batches()
    with _collector_writing(tmp_path) as port:
        for batch in batches:
            assert _post(port, batch.signal, batch.serialize(), "application/x-protobuf") == 200
    sink = CollectingSink()
    receiver = configured(
        OtlpJsonFileReceiver,
        make_host("otlpjsonfile", clock=SystemClock()),
        include=[str(tmp_path / "theirs")],
        start_at="beginning",
        include_file_name=False,
    )
    receiver.connect(dict.fromkeys(Signal, sink))
    await receiver.start()
    await sink.wait_for(sum(batch.count for batch in batches))
    await receiver.stop()
    read = {batch.signal: _pruned(batch.message) for batch in sink.batches}
    assert read == {batch.signal: _pruned(batch.message) for batch in batches}


@pytest.mark.parametrize("compression", ["", "zstd"])
async def test_length_prefixed_files_are_the_collectors(tmp_path: Path, compression: str) -> None:
    import zstandard

    batch = traces({"a": 1})
    with _collector_writing(tmp_path, format="proto", compression=compression) as port:
        assert _post(port, batch.signal, batch.serialize(), "application/x-protobuf") == 200
    exporter = configured(
        FileExporter, make_host("file"), path=str(tmp_path / "ours"), format="proto", compression=compression
    )
    await exporter.start()
    await exporter.export(batch)
    await exporter.stop()
    for name in ("theirs", "ours"):
        content = (tmp_path / name).read_bytes()
        size, payload = int.from_bytes(content[:4], "big"), content[4:]
        assert len(payload) == size
        wire = zstandard.ZstdDecompressor().decompressobj().decompress(payload) if compression else payload
        message = batch.signal.request_class.FromString(wire)
        assert _pruned(message) == _pruned(batch.message)


def _attribute(value: str) -> bytes:
    attribute = '{"key":"k","value":' + value + "}"
    return _span('"attributes":[' + attribute + "]")


def _span(members: str) -> bytes:
    return ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"n",' + members + "}]}]}]}").encode()


def _log(members: str) -> bytes:
    return ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{' + members + "}]}]}]}").encode()


def _histogram(members: str) -> bytes:
    head = '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"h","histogram":{"dataPoints":[{"count":1,'
    return (head + members + "}]}}]}]}]}").encode()


BODIES: list[tuple[Signal, bytes]] = [
    *(
        (Signal.TRACES, _span(f'"startTimeUnixNano":{value}'))
        for value in (
            '"5"', "5", '"+5"', '"007"', '" 5"', '"-5"', '"5_0"', "null", '"0x1"', "1e3", "true", "5.0",
            '""', str(2**64),
        )
    ),
    *(
        (Signal.TRACES, _span(f'"kind":{value}'))
        for value in ("3", '"3"', '"SPAN_KIND_CLIENT"', '"CLIENT"', "99", "null", "3.0", "true", str(2**32))
    ),
    *(
        (Signal.TRACES, _span(f'"traceId":{value}'))
        for value in ("null", '""', '"' + "aB" * 16 + '"', '"01"', "5", '"' + "zz" * 16 + '"')
    ),
    *(
        (Signal.TRACES, _span(members))
        for members in (
            '"name":null', '"name":5', '"attributes":null', '"attributes":{}', '"attributes":[null]',
            '"attributes":[5]',
            '"status":null', '"status":[]', '"events":[null]', '"links":[{"traceId":"01"}]', '"x":{"y":[]}', '"x":NaN',
            '"droppedAttributesCount":"5"', '"droppedAttributesCount":4294967296', '"start_time_unix_nano":5',
        )
    ),
    *(
        (Signal.TRACES, _attribute(value))
        for value in (
            '{"intValue":"+5"}', '{"intValue":"9223372036854775808"}', '{"intValue":null}', '{"stringValue":null}',
            '{"stringValue":5}', '{"boolValue":"true"}', '{"doubleValue":1}', '{"doubleValue":"1.5"}',
            '{"doubleValue":"-Inf"}', '{"doubleValue":" 1"}', '{"doubleValue":"1e400"}', '{"doubleValue":1e400}',
            '{"doubleValue":null}', '{"bytesValue":"aGk="}', '{"bytesValue":"aGk"}', '{"bytesValue":"_-8="}',
            '{"bytesValue":null}', '{"arrayValue":null}', '{"arrayValue":[]}', '{"arrayValue":{"values":[null,{}]}}',
            '{"kvlistValue":{"values":[{"key":"a"}]}}', '{"stringValue":"a","intValue":"5"}', "null", "{}", "[]", "5",
            '{"stringValue":"\\ud800x"}', '{"stringValue":"\\q"}', '{"string_value":"a"}', '{"StringValue":"a"}',
        )
    ),
    *(
        (Signal.LOGS, _log(f'"severityNumber":{value}'))
        for value in ("9", '"SEVERITY_NUMBER_INFO"', '"SEVERITY_NUMBER_TRACE"', '"SEVERITY_NUMBER_TRACE2"', '"INFO"')
    ),
    *((Signal.LOGS, _log(f'"body":{value}')) for value in ("null", "{}", '"x"', '{"stringValue":""}')),
    *(
        (Signal.METRICS, _histogram(members))
        for members in (
            '"bucketCounts":[1,"2"]', '"bucketCounts":null', '"bucketCounts":[null]', '"bucketCounts":[1.5]',
            '"bucketCounts":{}', '"explicitBounds":["1.5"]', '"sum":0', '"sum":null', '"min":-0.5,"max":1',
        )
    ),
    *(
        (Signal.TRACES, body)
        for body in (b"null", b"[]", b"{}", b"", b"  ", b'{"resourceSpans":null}', b'"x"', b"5", b"{} x", b'{"a":1,}')
    ),
]  # fmt: skip


def test_the_collector_and_we_read_and_refuse_the_same(tmp_path: Path) -> None:
    """Bodies that are read give the same telemetry; those that are refused get a 400 there and are rejected here."""
    wanted: list[Request] = []
    with _collector_writing(tmp_path) as port:
        for signal, body in BODIES:
            status = _post(port, signal, body)
            try:
                ours = otlp_json.decode(signal, body)
            except Rejected:
                assert status == 400, body
            else:
                assert status == 200, body
                if ours.ByteSize():
                    wanted.append(_pruned(ours))
        deadline = time.monotonic() + 10
        while len(_lines(tmp_path)) < len(wanted) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert [_decoded(line) for line in _lines(tmp_path)] == wanted


def _lines(folder: Path) -> list[bytes]:
    path = folder / "theirs"
    return path.read_bytes().splitlines() if path.exists() else []


def _decoded(line: bytes) -> Request:
    head = line[:12]
    signal = {b'{"resourceSp': Signal.TRACES, b'{"resourceLo': Signal.LOGS, b'{"resourceMe': Signal.METRICS}[head]
    return _pruned(otlp_json.decode(signal, line))
