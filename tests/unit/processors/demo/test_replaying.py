"""`penstock replay` against a server on loopback that answers as it is told."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from pipeline.cli import main
from pipeline.signals import otlp_json
from pipeline.testing import log_request, trace_request
from processors.demo import replay_command, replaying
from processors.demo.recorded import recorded
from processors.demo.renewal import Recorded
from tests.servers.collectors import ROOT, penstock_command
from tests.servers.http_sink import HttpSink, http_sink

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """The command takes SIGTERM and SIGINT for itself."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Time:
    """In place of the module: time passes in sleeps only."""

    now_s = 0.0
    time_ns = staticmethod(time.time_ns)

    @classmethod
    def monotonic(cls) -> float:
        return cls.now_s

    @classmethod
    def sleep(cls, seconds: float) -> None:
        cls.now_s += seconds


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with http_sink() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Two spans, then a log record."""
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(b"\n".join(otlp_json.encode(each) for each in (trace_request({}, {}), log_request("x"))))
    return str(path)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_FIRST_PAUSE_S", 0.0)


def test_once(sink: HttpSink, file: str, capsys: Capture) -> None:
    assert main(["replay", file, "--to", f"{sink.url}/base/", "--header", "authorization=Bearer a=b"]) == 0
    assert [request.path for request in sink.requests] == ["/base/v1/traces", "/base/v1/logs"]
    assert {request.headers["authorization"] for request in sink.requests} == {"Bearer a=b"}
    assert {request.headers["content-type"] for request in sink.requests} == {"application/x-protobuf"}
    text = capsys.readouterr().out
    assert text.startswith("sent 2 spans and 1 log records in 2 requests, 1 whole passes, ")
    assert text.endswith("refused 0 spans and 0 log records\n")


def test_headers_of_the_environment(sink: HttpSink, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, x-scope-orgid = acme")
    assert main(["replay", file, "--to", sink.url, "--header", "x-scope-orgid=globex"]) == 0
    assert sink.requests[0].headers["authorization"] == "Bearer x"
    assert sink.requests[0].headers["x-scope-orgid"] == "globex"


def test_what_is_refused_for_the_moment_goes_again(sink: HttpSink, file: str, no_pauses: None, capsys: Capture) -> None:
    sink.answers = [(503, b""), (429, b"slowly"), (200, b"")]
    assert main(["replay", file, "--to", sink.url]) == 0
    assert len({request.body for request in sink.requests[:3]}) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("sent 2 spans and 1 log records in 2 requests")
    assert "429: slowly" in captured.err


def test_what_is_refused_for_good_is_counted(sink: HttpSink, file: str, capsys: Capture) -> None:
    sink.answers = [(200, b""), (400, b"too odd")]
    assert main(["replay", file, "--to", sink.url]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("sent 2 spans and 0 log records in 2 requests")
    assert captured.out.endswith("refused 0 spans and 1 log records\n")
    assert "refused: 400: too odd" in captured.err


def test_a_part_that_was_not_taken_is_refused(sink: HttpSink, file: str, capsys: Capture) -> None:
    partial = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=1))
    sink.answers = [(200, partial.SerializeToString())]
    assert main(["replay", file, "--to", sink.url]) == 1
    assert "refused 1 spans" in capsys.readouterr().out


def test_an_answer_in_other_words_is_an_answer(sink: HttpSink, file: str) -> None:
    sink.answers = [(200, b"OK, thanks")]
    assert main(["replay", file, "--to", sink.url]) == 0


def test_a_wrong_token_ends_it_at_once(sink: HttpSink, file: str, capsys: Capture) -> None:
    sink.answers = [(401, b"who are you")] * 9
    assert main(["replay", file, "--to", sink.url, "--loop"]) == 1
    assert len(sink.requests) == 1
    assert capsys.readouterr().err.endswith("Error: the collector answered 401: who are you\n")


def test_an_answer_in_protobuf_is_read(sink: HttpSink, file: str, capsys: Capture) -> None:
    sink.answers = [(401, Status(code=16, message="who are\nyou").SerializeToString())]
    assert main(["replay", file, "--to", sink.url]) == 1
    assert capsys.readouterr().err.endswith("Error: the collector answered 401: who are you\n")


def test_nothing_sent_is_no_success(file: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(replay_command, "_until", lambda _duration_s: lambda: True)
    assert main(["replay", file, "--to", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().out.startswith("sent 0 spans")


def test_time_is_counted_from_the_first_request(
    sink: HttpSink, file: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def slowly(paths: Sequence[Path]) -> list[Recorded]:
        Time.sleep(100)
        return recorded(paths)

    for module in (replaying, replay_command):
        monkeypatch.setattr(module, "time", Time)
    monkeypatch.setattr(replay_command, "recorded", slowly)
    assert main(["replay", file, "--to", sink.url, "--for", "1s", "--rate", "20"]) == 0
    assert " whole passes, 1." in capsys.readouterr().out


def test_nobody_answers(file: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(replaying, "PATIENCE_S", 0.0)
    assert main(["replay", file, "--to", "http://127.0.0.1:1"]) == 1
    captured = capsys.readouterr()
    assert captured.out.endswith("refused 2 spans and 1 log records\n")
    assert "Connection refused" in captured.err


def test_for_a_while_at_a_rate(sink: HttpSink, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (replaying, replay_command):
        monkeypatch.setattr(module, "time", Time)
    assert main(["replay", file, "--to", sink.url, "--for", "1s", "--rate", "20"]) == 0
    bodies = [request.body for request in sink.requests if request.path == "/v1/traces"]
    assert len(bodies) in {10, 11}
    ids = {
        ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0].trace_id for body in bodies
    }
    assert len(ids) == len(bodies)


def test_sigterm_ends_it_with_the_sums(sink: HttpSink, file: str) -> None:
    command = [*penstock_command(), "replay", file, "--to", sink.url, "--loop", "--rate", "40"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert sink.wait_for(3)
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "refused 0 spans and 0 log records" in said


@pytest.mark.parametrize(
    "arguments", [["--to", "localhost:4318"], ["--rate", "0"], ["--rate", "x"], ["--for", "soon"], ["--header", "x"]]
)
def test_wrong_arguments(arguments: list[str], file: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["replay", file, *arguments])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert "_" not in said
