"""What docs/kubernetes.md shows is what the chart does."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.config.loading import examine
from tests.servers.collectors import ROOT
from tests.servers.helm import CHART, NEWEST, render
from tests.servers.lookup import require_program

PAGE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(# values.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\$ (helm (?:lint|template|upgrade) .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_values_give_what_penstock_takes(block: str, tmp_path: Path) -> None:
    values = yaml.safe_load(block)
    manifests = render(values.get("penstock", values))
    users = tmp_path / "users"
    users.write_text("somebody:{SHA}1wLxqxz3tu8xHuK1mK2TmRTGhdE=\n")
    text = manifests.configuration_text.replace("/var/lib/penstock", str(tmp_path))
    text = re.sub(r"/etc/penstock/(?:users|token)/\w+", str(users), text)
    config = tmp_path / "config.yaml"
    config.write_text(text, encoding="utf-8")
    variables = re.findall(r"\$\{env:(\w+)", text)
    assert examine([str(config)], environ=dict.fromkeys(variables, "x:1")).settings()


def test_commands_of_helm_work_or_fail_as_shown(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text((CHART / "ci" / "gateway-values.yaml").read_text())
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    assert len(COMMANDS) > 4
    for command in COMMANDS:
        words = shlex.split(command.split(" | ")[0].replace("upgrade --install", "template"))
        done = subprocess.run(
            [require_program("helm"), *words[1:], f"--kube-version={NEWEST}.0"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        shown = PAGE.split(f"$ {command}\n")[1].split("```")[0].split("$ ")[0]
        assert (done.returncode == 0) is not shown.startswith("Error"), done.stderr
        if shown.startswith("Error"):
            assert done.stderr.startswith(shown.rstrip())


def test_users_can_be_left_to_the_cluster() -> None:
    nobody = {"runAsUser": None, "runAsGroup": None}
    values = {
        "backend": {"endpoint": "tempo:4317"},
        "token": {"existingSecret": "t"},
        "podSecurityContext": {**nobody, "fsGroup": None},
        "securityContext": nobody,
    }
    manifests = render(values)
    for context in (manifests.pod["securityContext"], manifests.container["securityContext"]):
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys()
        assert context["runAsNonRoot"] is True


def test_examples_are_named() -> None:
    for path in (CHART / "ci").glob("*-values.yaml"):
        assert f"`{path.stem.removesuffix('-values')}`" in PAGE


def test_the_application_of_the_page_is_the_one_that_is_tested() -> None:
    template = (ROOT / "tests" / "data" / "helm" / "application" / "templates" / "deployment.yaml").read_text()
    for line in re.findall(r"\{\{- include \"penstock\.sidecar\.\w+\".*\}\}", PAGE):
        assert line in template


def test_the_adapter_is_told_of_a_series_that_rules_record() -> None:
    (series,) = set(re.findall(r"penstock:[a-z:_]+", PAGE))
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "recording.rules.yaml").read_text(encoding="utf-8"))
    assert series in {rule.get("record") for group in rules["groups"] for rule in group["rules"]}
    default = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["autoscaling"]["queueFill"]["metric"]
    assert f"name: {{as: {default}}}" in PAGE
