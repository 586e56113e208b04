"""Where the tests find a real server: an environment variable, PATH, or the cache that `make servers` fills."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def cache_folder() -> Path:
    """The folder that `make servers` fills."""
    return Path(os.environ.get("PENSTOCK_SERVERS", "~/.cache/penstock/servers")).expanduser()


def find_program(name: str) -> Path | None:
    """A program such as `otelcol`: `PENSTOCK_TEST_OTELCOL`, else PATH, else the cache; None when it is nowhere."""
    named = os.environ.get(f"PENSTOCK_TEST_{name.upper()}")
    candidates = [named, shutil.which(name), str(cache_folder() / "bin" / name)]
    return next((Path(path) for path in candidates if path and os.access(path, os.X_OK)), None)


def require_program(name: str) -> Path:
    """As `find_program`, but the test is skipped, with the command that would help, when the program is nowhere."""
    found = find_program(name)
    if found is None:
        pytest.skip(f"no {name}: run `make servers`, or set PENSTOCK_TEST_{name.upper()} to its path")
    return found


def require_node_modules() -> Path:
    """The `node_modules` folder with the OpenTelemetry SDK for Node; skips the test when there is none."""
    require_program("node")
    folder = Path(os.environ.get("PENSTOCK_TEST_NODE_MODULES", cache_folder() / "node" / "node_modules"))
    if not (folder / "@opentelemetry" / "sdk-trace-node").is_dir():
        pytest.skip("no OpenTelemetry SDK for Node: run `make servers`, or set PENSTOCK_TEST_NODE_MODULES")
    return folder
