"""The log: forms, limits, and what never gets into it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.service import LogSampling, LogsTelemetry
from pipeline.errors import Refused, StartError
from pipeline.telemetry.lines import ConsoleFormatter, JsonFormatter
from pipeline.telemetry.log import Log
from pipeline.telemetry.logs import CallSiteLimit, LogOutput
from pipeline.telemetry.meter import Meter, MetricsRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "the text of a prompt"


def _fail() -> None:
    raise ValueError(SECRET)


def _counter() -> Any:
    return Meter(MetricsRegistry(), {}).counter("suppressed", "d")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Callable[[], list[str]]]]:
    """Set logging up with keys of `service.telemetry.logs`; gives a function that reads the lines."""
    outputs = []

    def install(**keys: Any) -> Callable[[], list[str]]:
        path = tmp_path / "log"
        output = LogOutput(LogsTelemetry(output_paths=[str(path)], **keys), {"service.name": "penstock"}, _counter())
        output.install()
        outputs.append(output)
        return lambda: path.read_text(encoding="utf-8").splitlines()

    yield install
    for output in outputs:
        output.remove()


@pytest.fixture
def log() -> Log:
    return Log(logging.getLogger("penstock"), **{"otelcol.component.id": "otlp"})


def test_console_line_has_the_collectors_columns(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start()
    log.info("Starting HTTP server", endpoint="127.0.0.1:4318")
    when, level, caller, message, fields = lines()[0].split("\t")
    assert when.endswith("Z")
    assert len(when) == len("2026-11-21T10:46:14.541Z")
    assert level == "info"
    assert caller.startswith("tests/unit/telemetry/test_logs.py:")
    assert message == "Starting HTTP server"
    assert fields == '{"otelcol.component.id": "otlp", "endpoint": "127.0.0.1:4318"}'


def test_disable_caller_and_initial_fields(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start(disable_caller=True, initial_fields={"zone": "eu"})
    log.warning("Look")
    _, level, message, fields = lines()[0].split("\t")
    assert (level, message) == ("warn", "Look")
    assert json.loads(fields) == {"zone": "eu", "otelcol.component.id": "otlp"}


def test_json_line(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start(encoding="json")
    log.error("Exporting failed. Dropping data.", dropped_items=3, error=Refused("backend away"))
    values = json.loads(lines()[0])
    assert list(values)[:4] == ["level", "ts", "caller", "msg"]
    assert values["level"] == "error"
    assert values["resource"] == {"service.name": "penstock"}
    assert values["dropped_items"] == 3
    assert values["error"] == "backend away"


def test_level_is_honoured(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start(level="error")
    log.warning("not this")
    log.error("this")
    assert len(lines()) == 1


def test_debug_level(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start(level="debug")
    log.debug("deep")
    assert "\tdebug\t" in lines()[0]


def test_every_output_path_gets_the_line(tmp_path: Path, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    output = LogOutput(LogsTelemetry(output_paths=["stdout", "stderr", str(tmp_path / "a")]), {}, _counter())
    output.install()
    log.info("everywhere")
    output.remove()
    captured = capsys.readouterr()
    assert all("everywhere" in text for text in (captured.out, captured.err, (tmp_path / "a").read_text()))


def test_output_that_cannot_be_opened_is_a_start_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot write"):
        LogOutput(LogsTelemetry(output_paths=[str(tmp_path / "missing" / "log")]), {}, _counter())


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_errors_of_libraries_are_named_but_never_quoted(
    start: Callable[..., Callable[[], list[str]]], log: Log, encoding: str
) -> None:
    lines = start(encoding=encoding)
    library = logging.getLogger("some.library")
    try:
        _fail()
    except ValueError as error:
        log.error("Failed", error=error, nested={"error": error})
        library.exception("Error in %s", SECRET)
    library.error(f"Error in {SECRET}")
    text = "\n".join(lines())
    assert SECRET not in text
    assert "ValueError" in text
    assert "test_errors_of_libraries" in text
    assert "Error in %s" in text


def test_disable_stacktrace(start: Callable[..., Callable[[], list[str]]]) -> None:
    lines = start(disable_stacktrace=True)
    try:
        _fail()
    except ValueError:
        logging.getLogger("some.library").exception("Error in %s", 1)
    assert "stacktrace" not in lines()[0]
    assert '"error": "ValueError"' in lines()[0]


def test_information_of_libraries_is_not_logged(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start(level="debug")
    logging.getLogger("some.library").info("chatter")
    log.info("own")
    assert len(lines()) == 1


def _record(line: int = 1) -> logging.LogRecord:
    return logging.LogRecord("penstock", logging.INFO, "file.py", line, "message", (), None)


def test_call_site_limit() -> None:
    now = 0.0
    suppressed = _counter()
    limit = CallSiteLimit(LogSampling(tick=10, initial=2, thereafter=3), suppressed, lambda: now)
    passed = [limit.filter(_record()) for _ in range(9)]
    assert passed == [True, True, False, False, True, False, False, True, False]
    assert limit.filter(_record(line=2))
    now = 10.0
    assert limit.filter(_record())
    assert suppressed.collect()[0].samples[0].value == 5


def test_nothing_passes_behind_the_first_lines_when_thereafter_is_zero() -> None:
    limit = CallSiteLimit(LogSampling(initial=1, thereafter=0), _counter(), lambda: 0.0)
    assert [limit.filter(_record()) for _ in range(3)] == [True, False, False]


def test_sampling_can_be_switched_off(start: Callable[..., Callable[[], list[str]]], log: Log) -> None:
    lines = start(sampling=LogSampling(enabled=False, initial=1, thereafter=0))
    for _ in range(5):
        log.info("again")
    assert len(lines()) == 5


def test_default_sampling_lets_ten_lines_of_a_call_site_pass(
    start: Callable[..., Callable[[], list[str]]], log: Log
) -> None:
    lines = start()
    for _ in range(50):
        log.info("again")
    assert len(lines()) == 10


def test_control_characters_do_not_make_lines() -> None:
    record = _record()
    record.fields = {"path": "a\nb\tc"}
    for formatter in (
        ConsoleFormatter({}, with_caller=False, stacktrace=True),
        JsonFormatter({}, {}, with_caller=False, stacktrace=True),
    ):
        assert "\n" not in formatter.format(record)


def test_remove_restores_logging(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    output = LogOutput(LogsTelemetry(output_paths=[str(tmp_path / "a")]), {}, _counter())
    output.install()
    assert logging.getLogger().handlers != before
    output.remove()
    assert logging.getLogger().handlers == before
