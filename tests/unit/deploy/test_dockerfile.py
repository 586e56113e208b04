"""The Dockerfile: linted, pinned, and true to what a deployment relies on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.dockerfile import Stage, read

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "deploy" / "docker"


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read(DOCKER / "Dockerfile")[1]


def test_linted() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_bases_are_pinned_by_digest(stages: list[Stage]) -> None:
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", stage.base) for stage in stages)
    assert len(stages) == 2


def test_runs_as_a_number_that_is_not_root(stages: list[Stage]) -> None:
    user, group = stages[-1].last("USER").text.split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_runs_the_program_with_the_gateway_that_ships(stages: list[Stage]) -> None:
    final = stages[-1]
    copies = {step.words()[-1]: step.words()[0] for step in final.steps if step.name == "COPY"}
    assert final.last("ENTRYPOINT").form() == ["penstock"]
    assert final.last("CMD").form() == ["--config", "/etc/penstock/config.yaml"]
    assert copies["/etc/penstock/config.yaml"] == "configs/gateway.yaml"
    assert final.last("STOPSIGNAL").text == "SIGTERM"


def test_exposes_the_ports_of_the_configurations(stages: list[Stage]) -> None:
    exposed = set(stages[-1].last("EXPOSE").text.split())
    written = {
        port
        for path in (ROOT / "configs").glob("*.yaml")
        for port in re.findall(r'endpoint: "?0\.0\.0\.0:(\d+)', path.read_text(encoding="utf-8"))
    }
    assert exposed == written | {"8888"}


def test_health_check_asks_where_the_configuration_answers(stages: list[Stage]) -> None:
    config = yaml.safe_load((ROOT / "configs" / "gateway.yaml").read_text(encoding="utf-8"))
    port = config["extensions"]["health_check"]["endpoint"].rpartition(":")[2]
    assert f"'127.0.0.1', {port}," in stages[-1].last("HEALTHCHECK").form()[-1]


def test_what_is_copied_is_there_and_not_ignored(stages: list[Stage]) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source.rstrip("/")
        for stage in stages
        for step in stage.steps
        if step.name == "COPY" and not step.flag("from")
        for source in step.words()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source == path or source.startswith(f"{path}/") for path in allowed), source
    assert all(any(f"{source}/".startswith(f"{path}/") for source in copied) for path in allowed)


def test_version_is_the_projects(stages: list[Stage]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = next(step for step in stages[-1].steps if step.text.startswith("VERSION="))
    assert version.text == f"VERSION={project['version']}"


def locked(path: Path) -> dict[str, str]:
    """Package to version; each must have a hash."""
    blocks = re.findall(r"(?m)^([\w.-]+)==(\S+) \\((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+)", path.read_text())
    pins = re.findall(r"(?m)^[\w.-]+==", path.read_text())
    assert len(blocks) == len(pins), "every pin has hashes"
    return {name: version for name, version, _ in blocks}


def test_lock_of_the_image_is_the_projects_with_hashes() -> None:
    """`make lock` writes both."""
    plain = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", plain):
        versions.setdefault(name, set()).add(version)
    image = locked(DOCKER / "requirements.lock")
    assert all(version in versions[name] for name, version in image.items())
    assert "hatchling" in locked(DOCKER / "build.lock")


def test_lock_of_the_image_has_all_that_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [need for needs in project["optional-dependencies"].values() for need in needs]
    names = {re.split(r"[\[<>=]", need)[0].lower() for need in [*project["dependencies"], *extras]} - {"penstock"}
    assert names <= set(locked(DOCKER / "requirements.lock"))


def test_bill_of_materials_is_that_of_the_lock() -> None:
    """`make sbom` writes it."""
    bill = json.loads((DOCKER / "sbom.cdx.json").read_text(encoding="utf-8"))
    parts = {re.sub(r"[-_.]+", "-", part["name"]).lower(): part["version"] for part in bill["components"]}
    assert parts == locked(DOCKER / "requirements.lock")
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "penstock")
