"""Redaction as an operator meets it: the file that leaves, the page of own metrics, the log, the command."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.testing import log_request, trace_request
from tests.servers.collectors import penstock
from tests.servers.processes import Server, free_ports

MAIL: Final = "jane.sample@example.com"
COMMAND: Final = [sys.executable, "-m", "pipeline", "redact"]
SETTINGS: Final[dict[str, Any]] = {
    "redaction/first_look": {"dry_run": True},
    "redaction": {
        "actions": {"CREDIT_CARD": "drop"},
        "policies": [{"match": {"signals": ["logs"]}, "actions": {"EMAIL": "hash"}}],
        "max_value_bytes": 1000,
        "summary": "debug",
    },
}


class Running:
    """A collector that writes what leaves into a file."""

    def __init__(self, server: Server, ports: Sequence[int], file: Path) -> None:
        self.server = server
        self._ports = ports
        self.file = file

    def send(self, signal_name: str, body: bytes) -> str:
        """The line that leaves for one request."""
        lines = self.lines()
        self._open(self._ports[0], f"/v1/{signal_name}", body)
        self.server.wait_until(lambda: len(self.lines()) > len(lines))
        return self.lines()[-1]

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    def metrics(self) -> str:
        return self._open(self._ports[1], "/metrics")

    def _open(self, port: int, path: str, body: bytes | None = None) -> str:
        headers = {"content-type": "application/x-protobuf"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            return bytes(response.read()).decode(errors="replace")


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("redaction")
    ports = free_ports(2)
    chain = {"receivers": ["otlp"], "processors": list(SETTINGS), "exporters": ["file"]}
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": ports[1]}}}}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{ports[0]}"}}}},
        "processors": SETTINGS,
        "exporters": {"file": {"path": str(folder / "out.jsonl")}},
        "service": {"telemetry": {"metrics": {"readers": [reader]}}, "pipelines": {"traces": chain, "logs": chain}},
    }
    with penstock(config, folder, ports=ports) as server:
        yield Running(server, ports, folder / "out.jsonl")


def test_what_leaves_is_counted_and_said_without_the_values(collector: Running) -> None:
    values = {"to": MAIL, "note": "card 4242 4242 4242 4242", "long": f"{'x ' * 600}{MAIL}", "user.id": "u-1"}
    span = collector.send("traces", trace_request(values, name=f"mail {MAIL}").SerializeToString())
    record = collector.send("logs", log_request(f"mail {MAIL}").SerializeToString())
    assert '"name":"mail <EMAIL>"' in span
    assert '{"key":"long","value":{"stringValue":"<REDACTED>"}}' in span
    assert '"key":"note"' not in span
    assert '{"key":"redaction.masked.keys","value":{"stringValue":"long,to"}}' in span
    assert '{"key":"redaction.redacted.keys","value":{"stringValue":"note"}}' in span
    assert "mail <EMAIL:" in record
    page = collector.metrics()
    rows = [line for line in page.splitlines() if line.startswith("penstock_redaction_")]
    wanted = (
        ('action="drop"', 'entity="CREDIT_CARD"', 'place="span"', 'processor="redaction"'),
        ('action="mask"', 'entity="EMAIL"', 'place="span.name"', 'processor="redaction"'),
        ('action="hash"', 'entity="EMAIL"', 'place="log.body"', 'processor="redaction"'),
        ('action="dry_run"', 'entity="EMAIL"', 'place="span"', 'processor="redaction/first_look"'),
        ('reason="limit"', 'place="span"', 'processor="redaction"'),
    )
    for labels in wanted:
        assert [row for row in rows if all(label in row for label in labels)], labels
    log = collector.server.log()
    assert log.count("No hmac_key is set") == 1
    assert "could not be examined" in log
    for text in (span, record, page, log):
        assert MAIL not in text
        assert "4242 4242" not in text


def test_the_command_on_what_left_finds_nothing_more(collector: Running) -> None:
    collector.send("traces", trace_request({"to": MAIL}).SerializeToString())
    text = collector.file.read_text()
    done = subprocess.run(COMMAND, input=text, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (text, "Nothing is redacted.\n")


def test_a_reader_of_the_command_that_goes_away_is_no_error() -> None:
    script = f"(yes 'mail {MAIL}' | head -20000) | {' '.join(COMMAND)} --quiet | head -1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("mail <EMAIL>\n", "")


@pytest.fixture
def heard_interrupts() -> Iterator[None]:
    """Programs that a test starts hear SIGINT, also when the tests run in the background, where shells turn it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_interrupts")
def test_ctrl_c_while_the_command_waits_for_a_text() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        # More than a pipe holds: written only when the command reads.
        process.stdin.write(b"x" * (1 << 20))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"")


def test_exit_codes_of_the_command() -> None:
    for arguments, code in ((["--entities", "EMIAL"], 1), (["--bogus"], 1), (["--help"], 0), ([], 0)):
        done = subprocess.run([*COMMAND, *arguments], input="", capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, arguments
        assert "Traceback" not in done.stderr
