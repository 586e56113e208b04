"""The configurations that ship are valid as they stand, and what their comments say of ports is true."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.servers.collectors import ROOT, penstock_command

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_is_valid(path: Path) -> None:
    done = subprocess.run(
        [*penstock_command(), "validate", "--config", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PENSTOCK_TOKEN": "for-tests"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stdout


def test_all_three_layouts_are_there() -> None:
    assert {"quickstart", "sidecar", "gateway"} <= {path.stem for path in CONFIGS}
