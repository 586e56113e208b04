"""Whatever wrote the file: the same spans, in the order and at the times of their coming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.errors import PenstockError
from pipeline.signals import Signal, otlp_json
from processors.explain_sampling.reading import Arrival, arrivals
from tests.support.sampling import Traffic, generate
from tests.support.sampling_otlp import sendings

CAPTURES = Path("tests/data/captures")
REQUESTS = [sending.raw for sending in sendings(generate(Traffic(traces=60, late_share=0.1)), spans_a_request=20)]


def as_json(raw: bytes) -> bytes:
    return otlp_json.encode(ExportTraceServiceRequest.FromString(raw))


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


def compressed(bodies: list[bytes]) -> list[bytes]:
    return [zstandard.ZstdCompressor().compress(body) for body in bodies]


FORMS = {
    "lines.jsonl": b"\n".join(map(as_json, REQUESTS)) + b"\n",
    "framed.bin": framed(REQUESTS),
    "framed_zstd.bin": framed(compressed(REQUESTS)),
    "framed_zstd_json.bin": framed(compressed([as_json(raw) for raw in REQUESTS])),
}


def read(path: Path, data: bytes) -> list[Arrival]:
    path.write_bytes(data)
    return arrivals([path])


@pytest.mark.parametrize("name", FORMS)
def test_each_form_holds_the_same_requests(name: str, tmp_path: Path) -> None:
    found = read(tmp_path / name, FORMS[name])
    assert [ExportTraceServiceRequest.FromString(each.raw) for each in found] == [
        ExportTraceServiceRequest.FromString(raw) for raw in REQUESTS
    ]


@pytest.mark.parametrize("form", ["one.binpb", "one.json", "pretty.json"])
def test_a_single_request(form: str, tmp_path: Path) -> None:
    text = as_json(REQUESTS[0])
    pretty = json.dumps(json.loads(text), indent=2).encode()
    (found,) = read(tmp_path / form, {"one.binpb": REQUESTS[0], "one.json": text, "pretty.json": pretty}[form])
    assert ExportTraceServiceRequest.FromString(found.raw) == ExportTraceServiceRequest.FromString(REQUESTS[0])


def test_what_stands_late_in_a_file_came_late(tmp_path: Path) -> None:
    times = [each.at_ns for each in read(tmp_path / "file", framed(REQUESTS))]
    assert times == sorted(times)
    assert times[-1] > times[0]


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(framed(REQUESTS[::2]))
    (tmp_path / "b.bin").write_bytes(framed(REQUESTS[1::2]))
    found = arrivals([tmp_path])
    assert len(found) == len(REQUESTS)
    assert [each.at_ns for each in found] == sorted(each.at_ns for each in found)


@pytest.mark.parametrize("name", ["lines.jsonl", "framed.bin"])
def test_a_last_request_that_was_being_written(name: str, tmp_path: Path) -> None:
    assert len(read(tmp_path / name, FORMS[name][:-9])) == len(REQUESTS) - 1


def test_recordings_come_when_they_were_received() -> None:
    found = arrivals([CAPTURES / "openlit-openai", CAPTURES / "mastra"])
    assert found
    spans = sum(Signal.TRACES.request_class.FromString(each.raw).ByteSize() > 0 for each in found)
    assert spans == len(found)
    truth = json.loads((CAPTURES / "openlit-openai" / "stream_en.truth.json").read_text())
    assert truth["bodies"]["stream_en.traces.binpb"][0]["received_unix_ns"] in [each.at_ns for each in found]


def test_logs_and_metrics_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.logs.binpb").write_bytes(REQUESTS[0])
    (tmp_path / "b.metrics.binpb").write_bytes(REQUESTS[0])
    (tmp_path / "c.json").write_text('{"resourceLogs": []}')
    (tmp_path / "README.md").write_text("no telemetry")
    with pytest.raises(PenstockError, match="no spans"):
        arrivals([tmp_path])


@pytest.mark.parametrize("data", [b"no telemetry", b"{\n", b"[1]", b"\0\0\0\4abcd"])
def test_what_is_no_recording(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(PenstockError, match="file"):
        read(tmp_path / "file", data)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PenstockError, match="missing"):
        arrivals([tmp_path / "missing"])
