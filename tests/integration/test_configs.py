"""The configurations that ship are valid as they stand, and what their comments say of ports is true."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers.collectors import ROOT, penstock_command

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))

LAID = (
    ("gateway", "overlays/sampling"),
    ("gateway", "overlays/adversarial"),
    ("gateway", "overlays/adversarial", "overlays/sampling"),
    ("tempo", "overlays/sampling"),
    ("tempo", "overlays/adversarial"),
    ("worker-kafka", "overlays/sampling"),
    ("worker-kafka", "overlays/sampling", "overlays/sampling-kafka"),
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_is_valid(path: Path) -> None:
    check(path)


@pytest.mark.parametrize("names", LAID, ids="+".join)
def test_is_valid_one_over_the_other(names: tuple[str, ...]) -> None:
    check(*(ROOT / "configs" / f"{name}.yaml" for name in names))


def test_every_overlay_is_laid_over_something() -> None:
    overlays = {f"overlays/{path.stem}" for path in (ROOT / "configs" / "overlays").glob("*.yaml")}
    assert overlays == {name for names in LAID for name in names[1:]}


def check(*paths: Path) -> None:
    """Validates, and nothing is refused."""
    done = subprocess.run(
        [*penstock_command(), "validate", *(part for path in paths for part in ("--config", path))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PENSTOCK_TOKEN": "for-tests"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stdout


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_times_calls_sees_their_log_records_too(path: Path) -> None:
    pipelines = yaml.safe_load(path.read_text(encoding="utf-8"))["service"]["pipelines"]
    timed = {name.split("/")[0] for name, parts in pipelines.items() if "gen_ai_latency" in parts.get("processors", ())}
    assert timed in ({"traces", "logs"}, set())


def test_all_layouts_are_there() -> None:
    assert {"quickstart", "sidecar", "gateway", "gateway-kafka", "worker-kafka", "tempo"} <= {
        path.stem for path in CONFIGS
    }
