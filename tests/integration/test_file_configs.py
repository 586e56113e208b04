"""Files that set every key of the file, debug and otlpjsonfile components to a value other than its default."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import ConfigModel
from pipeline.config.loading import load
from pipeline.config.model import refusal_of
from pipeline.signals import Signal, otlp_json
from pipeline.testing import traces
from tests.servers import lookup
from tests.servers.collectors import penstock

FOLDER = Path(__file__).parents[1] / "data" / "otelcol" / "files"
FILES = sorted(FOLDER.glob("*.yaml"))


def _configs(path: Path) -> list[ConfigModel]:
    settings = load([str(path)], environ={"FOLDER": "/srv/telemetry"})
    return [item.config for part in (settings.receivers, settings.exporters) for item in part.values()]


def _set_keys(model: ConfigModel, prefix: str) -> set[str]:
    """Keys that do not have their default, blocks taken apart."""
    keys = set()
    for name, field in type(model).model_fields.items():
        value, default = getattr(model, name), field.get_default(call_default_factory=True)
        if isinstance(value, ConfigModel):
            keys |= _set_keys(value, f"{prefix}.{name}")
        elif value != default:
            keys.add(f"{prefix}.{name}")
    return keys


def _honoured_keys(model: type[ConfigModel], prefix: str) -> set[str]:
    keys = set()
    for name, field in model.model_fields.items():
        inner = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_block(t)]
        if inner:
            keys |= _honoured_keys(inner[0], f"{prefix}.{name}")
        elif refusal_of(model, name) is None:
            keys.add(f"{prefix}.{name}")
    return keys


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, ConfigModel)


def test_every_key_is_set_somewhere() -> None:
    configs = [config for path in FILES for config in _configs(path)]
    honoured = {key for config in configs for key in _honoured_keys(type(config), type(config).__name__)}
    keys = {key for config in configs for key in _set_keys(config, type(config).__name__)}
    missing = {key for key in honoured - keys if ".sending_queue." not in key}  # the queue's own tests have those
    assert missing == set()


@pytest.mark.server
@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "newer"], ids=lambda path: path.stem)
def test_the_collector_takes_them_too(path: Path) -> None:
    command = [str(lookup.require_program("otelcol")), "validate", "--config", str(path)]
    env = {**os.environ, "FOLDER": "/srv/telemetry"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert done.returncode == 0, done.stderr


def test_files_pass_through_a_running_penstock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    batch = traces({"a": 1})
    for name in ("in/take.json", "in/skip-me.json", "more/deep/er.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(otlp_json.encode(batch.message) + b"\n")
    out = tmp_path / "rotated" / "out.json"
    config = yaml.safe_load((FOLDER / "rotated.yaml").read_text())
    with penstock(config, tmp_path / "penstock", ports=[]) as server:
        server.wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") == 2)
        assert server.stop() == 0
    written = [_paths(line) for line in out.read_bytes().splitlines()]
    assert written == [str(tmp_path / "in/take.json"), str(tmp_path / "more/deep/er.json")]
    assert out.parent.stat().st_mode & 0o777 == 0o700


def _paths(line: bytes) -> str:
    request: Any = otlp_json.decode(Signal.TRACES, line)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    attributes = {pair.key: pair.value.string_value for pair in span.attributes}
    assert set(attributes) == {"a", "log.file.path", "log.file.name_resolved", "log.file.path_resolved"}
    return str(attributes["log.file.path"])
