"""Every query of docs/queries.md has an answer in a real Prometheus that scrapes the quickstart."""

from __future__ import annotations

import math
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.queries import answer, queries, scraped
from tests.servers.lookup import require_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server


def test_the_page_has_queries() -> None:
    assert len(queries()) > 20


def test_a_real_prometheus_answers_all_of_them(tmp_path: Path) -> None:
    require_program("prometheus")
    with scraped(tmp_path) as server:
        answers = {query: [row.value for row in answer(server, query)] for query in queries()}
        checked = [page for page in map(_page, server.targets()) if b"gen_ai_client_operation_duration_seconds" in page]
    assert [query for query, values in answers.items() if not any(_is_something(value) for value in values)] == []
    # Names on the collector's own page are the Collector's, without `_total`.
    assert len(checked) == 1
    tool = require_program("promtool")
    done = subprocess.run([tool, "check", "metrics"], input=checked[0], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def _page(target: dict[str, Any]) -> bytes:
    assert target["health"] == "up", target["lastError"]
    with urllib.request.urlopen(target["scrapeUrl"], timeout=30) as page:
        return bytes(page.read())


def _is_something(value: float) -> bool:
    return math.isfinite(value) and value > 0
