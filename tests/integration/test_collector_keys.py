"""The configurations of tests/data/otelcol/keys are the Collector's own dialect: it accepts them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.loading import examine
from tests.servers.lookup import require_program
from tests.unit.collector_keys import DATA, FILES, without, write_files

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


# Its default, which we cannot honour, and which therefore must not be written down.
REFUSED_DEFAULTS = {("exporters", "otlp_http", "force_attempt_http2")}


@pytest.mark.server
def test_its_effective_configuration_is_one_for_us(tmp_path: Path) -> None:
    gate = "--feature-gates=otelcol.printInitialConfig"
    done = subprocess.run(
        [require_program("otelcol"), "print-config", gate, "--config", DATA / "every_component.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    printed = tmp_path / "effective.yaml"
    printed.write_text(yaml.safe_dump(_without_sizers(yaml.safe_load(done.stdout))), encoding="utf-8")
    found = examine([str(printed)])
    assert {problem.path for problem in found.problems} == REFUSED_DEFAULTS


def _without_sizers(value: Any) -> Any:
    """`print-config` of the Collector prints sizers as `{}`, which it does not read back itself."""
    if isinstance(value, dict):
        return {key: _without_sizers(item) for key, item in value.items() if (key, item) != ("sizer", {})}
    return [_without_sizers(item) for item in value] if isinstance(value, list) else value
