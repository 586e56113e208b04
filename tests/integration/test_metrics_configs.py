"""Files that set every key of own telemetry, prometheus, attributes and resource to a value other than its default."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import pytest

from pipeline.config import ConfigModel, load
from pipeline.config.model import refusal_of
from pipeline.config.server import ServerTls
from pipeline.config.service import TelemetryConfig
from pipeline.delivery import SendingQueue
from pipeline.exporters.prometheus import PrometheusExporter
from processors.attributes import AttributesProcessor
from processors.resource import ResourceProcessor
from tests.servers.collectors import ROOT, penstock_command
from tests.servers.lookup import require_program

FOLDER = ROOT / "tests" / "data" / "otelcol" / "own"
FILES = sorted(FOLDER.glob("*.yaml"))
MODELS: tuple[type[ConfigModel], ...] = (
    TelemetryConfig,
    PrometheusExporter.Config,
    AttributesProcessor.Config,
    ResourceProcessor.Config,
)
# Their keys have tests of their own, or one value only; the Collector does not know `auth` and `tls` of its own page.
ELSEWHERE = {
    "ServerTls", "PrometheusConfig.sending_queue", "OtlpPush.temporality_preference", "LogSampling.enabled",
    "PrometheusPull.auth", "PrometheusPull.tls",
}  # fmt: skip


def _blocks(value: Any) -> Iterator[ConfigModel]:
    """A model and all models inside it."""
    if isinstance(value, ConfigModel):
        yield value
        for name in type(value).model_fields:
            yield from _blocks(getattr(value, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _blocks(item)


def _models(kind: Any) -> Iterator[type[ConfigModel]]:
    """A model class and all model classes its keys may hold."""
    if isinstance(kind, type) and issubclass(kind, ConfigModel):
        if kind not in (ServerTls, SendingQueue):
            yield kind
            for field in kind.model_fields.values():
                yield from _models(field.annotation)
    else:
        for part in get_args(kind):
            yield from _models(part)


def _honoured(models: Iterable[type[ConfigModel]]) -> set[str]:
    return {
        f"{inner.__name__}.{name}"
        for model in models
        for inner in _models(model)
        for name in inner.model_fields
        if refusal_of(inner, name) is None
    }


def _set_keys(blocks: Iterable[ConfigModel]) -> set[str]:
    return {
        f"{type(block).__name__}.{name}"
        for block in blocks
        for name, field in type(block).model_fields.items()
        if getattr(block, name) != field.get_default(call_default_factory=True)
    }


def test_every_honoured_key_is_set_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "for-tests")
    keys: set[str] = set()
    for path in FILES:
        settings = load([str(path)])
        configs = [item.config for part in (settings.processors, settings.exporters) for item in part.values()]
        keys |= _set_keys(block for config in (*configs, settings.service.telemetry) for block in _blocks(config))
    missing = _honoured(MODELS) - keys - ELSEWHERE
    assert not {key for key in missing if not key.startswith("TracesTelemetry")} - {"TelemetryConfig.traces"}


@pytest.mark.server
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("program", ["otelcol", "penstock"])
def test_the_collector_takes_them_and_so_do_we(program: str, path: Any) -> None:
    command = penstock_command() if program == "penstock" else [str(require_program("otelcol"))]
    done = subprocess.run(
        [*command, "validate", "--config", path],
        cwd=ROOT,
        env={**os.environ, "TOKEN": "for-tests"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
