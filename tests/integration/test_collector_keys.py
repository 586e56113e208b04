"""The configurations of tests/data/otelcol/keys are the Collector's own dialect: it accepts them."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import ConfigModel
from pipeline.config.examination import Examination
from pipeline.config.loading import examine
from tests.servers.lookup import require_program
from tests.unit.collector_keys import DATA, FILES, without, write_files

NOT_IN_V0_145 = ("# newer", "# newer # refused", "# ours", "# ours # refused")
# Version 2 of the health page is behind a gate.
GATES = "--feature-gates=+extension.healthcheck.useComponentStatus"


# What came with later versions (v0.154), and what the Collector that tests run is not built with.
KNOWN = [file for file in FILES if file.stem not in {"gen_ai_normalizer", "oidc"}]


@pytest.mark.server
@pytest.mark.parametrize("file", KNOWN, ids=lambda file: file.stem)
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
REFUSED_DEFAULTS = {
    ("exporters", "otlp_http", "force_attempt_http2"),
    ("exporters", "prometheusremotewrite", "force_attempt_http2"),
}
# Defaults that are others on purpose (docs/deviations.md).
OTHER_DEFAULTS = {
    "exporters/kafka.producer.required_acks",
    "receivers/kafka.autocommit.interval",
    *(
        f"receivers/kafka.error_backoff.{key}"
        for key in ("initial_interval", "max_elapsed_time", "max_interval", "multiplier", "randomization_factor")
    ),
}
# Other ways to write the same, blocks that are printed as `null` and on when they are there, and secrets.
OTHER_WORDS = {
    "connectors/spanmetrics.add_resource_attributes",
    "exporters/debug.sending_queue.enabled",
    "exporters/file.directory_permissions",
    "exporters/file.rotation.max_megabytes",
    "exporters/prometheus.sending_queue.enabled",
    "exporters/prometheus.translation_strategy",
    "extensions/basicauth/us.client_auth.password",
    "extensions/bearertokenauth.token",
    "extensions/health_check.check_collector_pipeline",
    "extensions/health_check.response_body",
    "processors/probabilistic_sampler.mode",
    "processors/redaction.db_sanitizer",
    "processors/redaction.url_sanitizer",
    "exporters/kafka.profiles",
    "receivers/kafka.auth.sasl.aws_msk",
    "receivers/kafka.profiles",
    "receivers/kafka.telemetry",
    *(f"receivers/kafka.{signal}.{key}" for signal in ("traces", "metrics", "logs") for key in ("encoding", "topics")),
}
EVERY_COMPONENT = DATA / "every_component.yaml"


@pytest.fixture(scope="module")
def effective() -> dict[str, Any]:
    """What the Collector makes of EVERY_COMPONENT: all defaults filled in."""
    gate = "--feature-gates=otelcol.printInitialConfig"
    done = subprocess.run(
        [require_program("otelcol"), "print-config", gate, "--config", EVERY_COMPONENT],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    printed: dict[str, Any] = _without_sizers(yaml.safe_load(done.stdout))
    return printed


def _without_sizers(value: Any) -> Any:
    """`print-config` of the Collector prints sizers as `{}`, which it does not read back itself."""
    if isinstance(value, dict):
        return {key: _without_sizers(item) for key, item in value.items() if (key, item) != ("sizer", {})}
    return [_without_sizers(item) for item in value] if isinstance(value, list) else value


def _examined(config: dict[str, Any]) -> Examination:
    return examine([f"yaml:{yaml.safe_dump(config)}"])


@pytest.mark.server
def test_its_effective_configuration_is_one_for_us(effective: dict[str, Any]) -> None:
    assert {problem.path for problem in _examined(effective).problems} == REFUSED_DEFAULTS


@pytest.mark.server
def test_its_defaults_are_ours(effective: dict[str, Any]) -> None:
    config = copy.deepcopy(effective)
    for path in REFUSED_DEFAULTS:
        block = config
        for key in path[:-1]:
            block = block[key]
        del block[path[-1]]
    theirs, ours = _examined(config).components, examine([str(EVERY_COMPONENT)]).components
    found = {
        path
        for kind, components in ours.items()
        for name, settings in components.items()
        for path in _differences(theirs[kind][name].config, settings.config, f"{kind}/{name}")
    }
    assert found == OTHER_WORDS | OTHER_DEFAULTS


def _differences(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, ConfigModel) and type(one) is type(other):
        for name in type(one).model_fields:
            yield from _differences(getattr(one, name), getattr(other, name), f"{path}.{name}")
    elif one != other:
        yield path
