"""A chart can only read files of its own folder: its copies are what they are copies of."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "penstock"


@pytest.mark.parametrize(
    ("copies", "originals", "pattern", "without"),
    [
        ("configs", "configs", "*.yaml", {"quickstart.yaml", "tempo.yaml"}),
        ("configs/overlays", "configs/overlays", "*.yaml", set()),
        ("rules", "deploy/prometheus", "*.rules.yaml", set()),
        ("dashboards", "deploy/grafana/dashboards", "*.json", set()),
    ],
)
def test_copies_are_up_to_date(copies: str, originals: str, pattern: str, without: set[str]) -> None:
    def texts(folder: Path) -> dict[str, str]:
        return {
            file.name: file.read_text(encoding="utf-8") for file in folder.glob(pattern) if file.name not in without
        }

    assert texts(CHART / "files" / copies) == texts(ROOT / originals), "run `make chart` and commit deploy/helm"


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["appVersion"] == project["version"]


def test_the_image_runs_as_the_user_that_the_chart_names() -> None:
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    context = values["podSecurityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile
    assert values["securityContext"]["runAsUser"] == context["runAsUser"]
    assert 'ENTRYPOINT ["penstock"]' in dockerfile
