"""The configurations of tests/data/otelcol/keys are the Collector's own dialect: it accepts them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.servers.lookup import require_program
from tests.unit.collector_keys import FILES, without, write_files

NOT_IN_V0_145 = ("# newer", "# ours")
# Version 2 of the health page is behind a gate.
GATES = "--feature-gates=+extension.healthcheck.useComponentStatus"


@pytest.mark.server
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_collector_accepts_it(file: Path, tmp_path: Path) -> None:
    write_files(tmp_path)
    path = tmp_path / file.name
    path.write_text(without(file, *NOT_IN_V0_145), encoding="utf-8")
    done = subprocess.run(
        [require_program("otelcol"), "validate", GATES, "--config", path],
        env={**os.environ, "FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
