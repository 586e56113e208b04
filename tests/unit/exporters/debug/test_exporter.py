from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.delivery import DeliveryStage
from pipeline.errors import StartError
from pipeline.exporters.debug import DebugConfig, DebugExporter
from pipeline.exporters.debug.sampler import Sampler
from pipeline.exporters.debug.views import SpanViews
from pipeline.signals import Outcome, Signal, Span
from pipeline.telemetry.log import Log
from pipeline.testing import FakeClock, configured, logs, make_host, metrics, traces


def _exporter(clock: FakeClock | None = None, **config: Any) -> DebugExporter:
    exporter: DebugExporter = configured(DebugExporter, make_host("debug", clock=clock), **config)
    return exporter


async def test_basic_counts_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    exporter = _exporter()
    with caplog.at_level(logging.INFO):
        await exporter.export(traces({"secret": "hunter2"}, {}))
        await exporter.export(logs("a"))
        await exporter.export(metrics({"m": [1, 2], "n": [3]}))
    shown = [(record.message, record.__dict__["fields"]) for record in caplog.records]
    assert [
        (title, {key: value for key, value in fields.items() if " " in key or key == "spans"})
        for title, fields in shown
    ] == [
        ("Traces", {"resource spans": 1, "spans": 2}),
        ("Logs", {"resource logs": 1, "log records": 1}),
        ("Metrics", {"resource metrics": 1, "data points": 3}),
    ]
    assert [fields.get("metrics") for _, fields in shown] == [None, None, 2]


async def test_basic_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    await _exporter(use_internal_logger=False).export(traces({}))
    assert capsys.readouterr().out == 'Traces\t{"resource spans": 1, "spans": 1}\n'


async def test_with_the_logger_telemetry_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    await _exporter(verbosity="normal").export(logs("hello"))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "ResourceLog #0 service.name=shop\nScopeLog #0 test\nhello\n")


async def test_output_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "debug.txt"
    exporter = _exporter(use_internal_logger=False, output_paths=["stderr", str(path)])
    await exporter.start()
    await exporter.export(logs("a"))
    await exporter.stop()
    assert path.read_text() == capsys.readouterr().err == 'Logs\t{"resource logs": 1, "log records": 1}\n'


async def test_an_output_file_that_cannot_be_opened(tmp_path: Path) -> None:
    exporter = _exporter(use_internal_logger=False, output_paths=[str(tmp_path / "no" / "file")])
    with pytest.raises(StartError, match="No such file"):
        await exporter.start()


async def test_sampling(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    exporter = _exporter(clock, use_internal_logger=False, sampling_initial=1, sampling_thereafter=3)
    for _ in range(8):
        await exporter.export(traces({}))
    await clock.advance(1)
    await exporter.export(traces({}))
    assert len(capsys.readouterr().out.splitlines()) == 1 + 2 + 1


def test_the_sampler_shows_no_more_where_thereafter_is_zero() -> None:
    sampler = Sampler(FakeClock(), 2, 0)
    assert [sampler.admits() for _ in range(5)] == [True, True, False, False, False]


async def test_with_a_queue_the_sender_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    exporter = _exporter(sending_queue={"enabled": True})
    stage = DeliveryStage(exporter, exporter.config, exporter.host, Signal.TRACES)
    await stage.start()
    batch = traces({})
    with caplog.at_level(logging.INFO):
        await stage.consume(batch)
        assert caplog.messages == []
        assert await batch.delivery.wait() is Outcome.DELIVERED
    assert caplog.messages == ["Traces"]
    await stage.stop()


def test_the_defaults_are_the_collectors() -> None:
    config = DebugConfig()
    assert (config.verbosity, config.sampling_initial, config.sampling_thereafter) == ("basic", 2, 1)
    assert (config.use_internal_logger, config.output_paths) == (True, ("stdout",))
    assert not config.sending_queue.enabled


@pytest.mark.parametrize("config", [{"verbosity": "loud"}, {"sampling_initial": -1}, {"output_paths": []}])
def test_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DebugConfig(**config)


def _log() -> Log:
    return Log(logging.getLogger("penstock.test"))


def test_the_first_view_that_knows_a_span_shows_it() -> None:
    views = SpanViews({"a": lambda _: None, "b": lambda span: [span.name], "c": lambda _: ["never"]}, _log())
    span = traces({}).records()[0]
    assert isinstance(span, Span)
    assert views.lines(span) == ["chat"]


def test_a_view_that_raises_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_span: Span) -> list[str]:
        raise ValueError("payload")

    views = SpanViews({"broken": broken, "other": lambda _: ["x"]}, _log())
    span = traces({}).records()[0]
    assert isinstance(span, Span)
    assert [views.lines(span), views.lines(span)] == [["x"], ["x"]]
    assert len(caplog.records) == 1
    assert "payload" not in str(caplog.records[0].__dict__["fields"])
