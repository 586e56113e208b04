"""The queries of docs/queries.md, answered by a real Prometheus: `python -m tests.evaluation.queries --write`.

The quickstart runs as `make demo` runs it, Prometheus scrapes both its pages, and the recordings of the checkout are
sent twice, so that there is something to rate. On the page, every query is a block of `promql`; the block behind it
holds the answer.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processors.demo.backend import grpc_backend
from processors.demo.collector import Ports, quickstart
from processors.demo.recordings import load
from processors.demo.replay import Sender
from tests.servers.collectors import ROOT
from tests.servers.processes import free_ports
from tests.servers.prometheus import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.demo.recordings import Export
    from tests.servers.prometheus import Prometheus

PAGE: Final = ROOT / "docs" / "queries.md"
_QUERY: Final = re.compile(r"^```promql\n(.*?)^```\n(?:\n```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
_MOST_ROWS: Final = 6
_PATIENCE_S: Final = 60.0
_CALLS: Final = "penstock_gen_ai_client_calls_total"
_MONTH_NS: Final = 30 * 86_400 * 10**9
_SETTLED: Final = f"sum({_CALLS}) == sum({_CALLS} offset 3s)"


@dataclass(frozen=True)
class Row:
    """One element of an answer."""

    labels: dict[str, str]
    value: float

    def line(self) -> str:
        """As it stands on the page."""
        names = ", ".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()))
        return f"{{{names}}} {self.value:.4g}"


def queries() -> list[str]:
    """The queries of the page, in its order."""
    return [match[1].strip() for match in _QUERY.finditer(PAGE.read_text(encoding="utf-8"))]


@contextlib.contextmanager
def scraped(folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a collector to which all recordings were sent."""
    ports = Ports(*free_ports(5))
    targets = [f"localhost:{port}" for port in (ports.llm_metrics, ports.own_metrics)]
    with (
        grpc_backend(lambda _signal, _body: None) as backend_port,
        quickstart(ports, backend_port, folder),
        prometheus(folder / "prometheus", targets=targets) as server,
        Sender(ports.http) as sender,
    ):
        for make in (lambda export: export, _a_month_later):
            for recording in load():
                sender.send(make(export) for export in recording.exports())
            time.sleep(2)
            server.server.wait_until(lambda: bool(server.query(_SETTLED)), timeout_s=_PATIENCE_S)
        yield server


def _a_month_later(export: Export) -> Export:
    """The same again, as other traces."""
    message: Any = export.message()
    for group in getattr(message, "resource_spans", ()):
        for span in (span for scope in group.scope_spans for span in scope.spans):
            _move(span, ("trace_id", "span_id", "parent_span_id"), ("start_time_unix_nano", "end_time_unix_nano"))
            for event in span.events:
                _move(event, (), ("time_unix_nano",))
    for group in getattr(message, "resource_logs", ()):
        for record in (record for scope in group.scope_logs for record in scope.log_records):
            _move(record, ("trace_id", "span_id"), ("time_unix_nano", "observed_time_unix_nano"))
    return dataclasses.replace(export, body=message.SerializeToString(), content_type="application/x-protobuf")


def _move(part: Any, ids: tuple[str, ...], times: tuple[str, ...]) -> None:
    for name in ids:
        setattr(part, name, bytes(byte ^ 0xFF for byte in getattr(part, name)))
    for name in times:
        if getattr(part, name):
            setattr(part, name, getattr(part, name) + _MONTH_NS)


def answer(server: Prometheus, query: str) -> list[Row]:
    """The answer, the largest value first."""
    rows = [Row(found["metric"], float(found["value"][1])) for found in server.query(query)]
    return sorted(rows, key=lambda row: (-row.value, row.line()))


def with_answers(server: Prometheus) -> str:
    """The page, every query with its answer."""
    return _QUERY.sub(lambda match: _block(match, server), PAGE.read_text(encoding="utf-8"))


def _block(match: re.Match[str], server: Prometheus) -> str:
    rows = answer(server, match[1].strip())
    lines = [row.line() for row in rows[:_MOST_ROWS]]
    more = ["..."] if len(rows) > _MOST_ROWS else []
    return "\n".join(["```promql", match[1].rstrip(), "```", "", "```text", *lines, *more, "```", ""])


def main() -> int:
    """Print every query with its answer, or write them to the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="bring the answers on the page up to date")
    parser.add_argument("--query", help="answer only this")
    options: Any = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, scraped(Path(folder)) as server:
        if options.query:
            print(*(row.line() for row in answer(server, options.query)), sep="\n")
        elif options.write:
            PAGE.write_text(with_answers(server), encoding="utf-8")
        else:
            print(with_answers(server))
    return 0


if __name__ == "__main__":
    sys.exit(main())
