"""The program itself, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("aiohttp", "bcrypt", "genai_prices", "grpc", "hyperscan", "numpy", "re2", "uvloop", "zstandard")


def penstock(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=60)


@pytest.mark.parametrize("command", ["components", "schema"])
def test_listing_imports_no_heavy_library(command: str) -> None:
    script = f"import sys; from pipeline.cli import main; main([{command!r}]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert sorted(set(HEAVY) & set(done.stderr.split())) == []


def test_exit_codes_and_streams(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("exporters: {debug: {verbosty: basic}}\n")
    done = penstock("validate", "--config", str(path))
    assert done.returncode == 1
    assert f"{path}:1:21\texporters::debug::verbosty\trefused" in done.stdout
    assert done.stderr.startswith("Error: ")
    assert f'{path}:1:21: exporters::debug::verbosty: unknown key "verbosty"; did you mean "verbosity"?' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_configuration_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("service:\n")
    done = penstock("--config", str(path))
    assert done.returncode == 1
    assert "service must have at least one pipeline" in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = f"{sys.executable} -m pipeline components | head -1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "buildinfo:"
    assert "Traceback" not in done.stderr
