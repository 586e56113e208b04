"""deploy/prometheus: what promtool says, whether the metrics exist, and what a real Prometheus makes of the rules."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from pipeline.testing.builders import trace_request
from processors.demo.backend import grpc_backend
from processors.demo.collector import running as penstock_with
from processors.demo.recordings import Export, load
from processors.demo.replay import Sender
from tests.servers.collectors import ROOT
from tests.servers.lookup import require_program
from tests.servers.processes import ServerError, free_ports
from tests.servers.prometheus import Prometheus, configured_prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER: Final = ROOT / "deploy" / "prometheus"
RUNBOOK: Final = ROOT / "docs" / "runbook.md"
CASES: Final = sorted((FOLDER / "tests").glob("*.yaml"))
_PATIENCE_S: Final = 90.0

# Metrics that a gateway without trouble, Kafka, TLS and workers does not have: the test that makes each appear.
ELSEWHERE: Final = {
    "otelcol_kafka_receiver_offset_lag": "tests/integration/kafka/test_receiver.py",
    "otelcol_kafka_receiver_records": "tests/integration/kafka/test_receiver.py",
    "penstock_certificate_expiry_timestamp_seconds": "tests/unit/transport/test_certificates.py",
    "penstock_certificate_reloads_total": "tests/unit/transport/test_certificates.py",
    "penstock_dead_letters_total": "tests/unit/delivery/test_dead_letters.py",
    "penstock_processor_errors_total": "tests/unit/test_run.py",
    "penstock_prometheus_dropped_points_total": "tests/unit/exporters/prometheus_remote_write/test_exporter.py",
    "penstock_prometheus_rejected_samples_total": "tests/unit/exporters/prometheus_remote_write/test_answers.py",
    "penstock_receiver_errors_total": "tests/unit/receivers/otlp/test_fuzz.py",
    "penstock_receiver_lost_records_total": "tests/integration/kafka/test_receiver.py",
    "penstock_redaction_failures_total": "tests/unit/processors/redaction/treatments/test_policies.py",
    "penstock_worker_restarts_total": "tests/integration/test_workers.py",
    "penstock_workers": "tests/integration/test_workers.py",
}
# What has no value on a page of a few seconds: there is no Kafka, and a subquery looks at every fifth minute.
UNSEEN: Final = {
    "penstock:kafka_lag_seconds",
    *(
        f"penstock:{what}{window}"
        for what in ("cost_usd:increase", "budget_burn:ratio")
        for window in ("30m", "1h", "6h", "1d")
    ),
}


def _rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / file).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS: Final = _rules("alerting.rules.yaml")
RECORDS: Final = _rules("recording.rules.yaml")


def _promtool(*arguments: str | Path) -> None:
    command = [require_program("promtool"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.server
def test_promtool_takes_the_rules_and_the_example() -> None:
    _promtool("check", "rules", FOLDER / "recording.rules.yaml", FOLDER / "alerting.rules.yaml")
    _promtool("check", "config", FOLDER / "prometheus.yaml")


@pytest.mark.server
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_rules_do_what_their_cases_say(case: Path) -> None:
    _promtool("test", "rules", case)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    found: dict[tuple[str, bool], int] = {}
    for path in CASES:
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for test in case.get("alert_rule_test", ()):
                key = test["alertname"], bool(test["exp_alerts"])
                found[key] = found.get(key, 0) + 1
    assert set(found) == set(itertools.product((rule["alert"] for rule in ALERTS), (True, False)))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_cases_say_in_which_order_groups_are_evaluated(case: Path) -> None:
    """Where it is not said it is by chance, and an alert may see what was recorded a minute before."""
    files = ("recording.rules.yaml", "alerting.rules.yaml")
    named = [group["name"] for file in files for group in yaml.safe_load((FOLDER / file).read_text())["groups"]]
    assert yaml.safe_load(case.read_text(encoding="utf-8"))["group_eval_order"] == named


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_alerts_with_a_time_are_not_there_before_it(rule: dict[str, Any]) -> None:
    tests = [
        test
        for path in CASES
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for test in case.get("alert_rule_test", ())
        if {other["alertname"] for other in case["alert_rule_test"] if other["exp_alerts"]} == {rule["alert"]}
    ]
    assert "for" not in rule or any(not test["exp_alerts"] for test in tests)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    name, notes = rule["alert"], rule["annotations"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert notes["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert "{{" in notes["description"] or name == "PenstockAbsent"
    entry = _entries()[name]
    assert f"Severity: {rule['labels']['severity']}." in entry
    for part in ("**Meaning.**", "**Causes.**", "**Look at.**", "**Do.**"):
        assert part in entry


def _entries() -> dict[str, str]:
    """The entries of the runbook by their heading, whose anchor is its lower case."""
    _, *parts = re.split(r"^### (?=Penstock\w+$)", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part.split("\n", 1)[0]: part for part in parts}


def test_the_runbook_has_no_entry_without_an_alert() -> None:
    assert list(_entries()) == [rule["alert"] for rule in ALERTS]


# Metrics that the rules name ------------------------------------------------------------------------------------------

_PATTERN: Final = re.compile(r'__name__=~"([^"]+)"')
_ALTERNATIVES: Final = re.compile(r"\(([^()]+)\)(\??)")


def _expanded(pattern: str) -> list[str]:
    """Every name that a pattern of alternatives in brackets matches."""
    found = _ALTERNATIVES.search(pattern)
    if found is None:
        return [pattern]
    options = [*found[1].split("|"), *([""] if found[2] else [])]
    return [
        name for option in options for name in _expanded(pattern[: found.start()] + option + pattern[found.end() :])
    ]


def _named_metrics() -> tuple[set[str], list[list[str]]]:
    """Names that must exist, and groups of spellings of which one must."""
    single: set[str] = set()
    spellings: list[list[str]] = []
    for rule in (*ALERTS, *RECORDS):
        expression = rule["expr"]
        for pattern in _PATTERN.findall(expression):
            body, suffix, optional = pattern.partition("(_")
            spellings += [_expanded(name + suffix + optional) for name in _expanded(body)]
        bare = re.sub(r'"[^"]*"', '""', expression)
        bare = re.sub(r"(?:by|without|on|ignoring|group_left)\s*\([^()]*\)", "", bare)
        single |= set(re.findall(r"(?<![\w:])((?:penstock|otelcol|gen_ai)_\w+)(?!\w*\s*(?:=|!=|!~))", bare))
    return single, spellings


def test_all_metrics_that_are_elsewhere_are_in_those_tests() -> None:
    for name, file in ELSEWHERE.items():
        assert name.removesuffix("_total") in (ROOT / file).read_text(encoding="utf-8"), name


# A gateway and a Prometheus -------------------------------------------------------------------------------------------


class Scene:
    """A gateway with sampling and scoring that has taken recordings, and a Prometheus that watches it."""

    def __init__(self, prometheus: Prometheus, own: int, applications: int) -> None:
        self.prometheus = prometheus
        self.own = own
        self.applications = applications

    def names(self) -> set[str]:
        """Names of all samples on both pages."""
        pages = (urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
                 for port in (self.own, self.applications))  # fmt: skip
        return {name for page in pages for name in re.findall(r"^([a-zA-Z_]\w*)[{ ]", page, re.MULTILINE)}

    def rules(self) -> list[dict[str, Any]]:
        """The rules with their state."""
        with urllib.request.urlopen(f"{self.prometheus.url}/api/v1/rules", timeout=60) as answer:
            groups = json.load(answer)["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


def _overlay(folder: Path, grpc: int, http: int, own: int, applications: int, health: int) -> dict[str, Any]:
    """What the test changes in the gateway: ports, no token, a durable queue; metrics are taken in, too."""
    at = "127.0.0.1:{}".format
    page = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": own}}}}
    protocols = {"grpc": {"endpoint": at(grpc), "auth": None}, "http": {"endpoint": at(http), "auth": None}}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {
            "prometheus": {"endpoint": at(applications)},
            "otlp_grpc": {"sending_queue": {"storage": "file_storage"}},
        },
        "connectors": {name: {"metrics_flush_interval": "1s"} for name in ("gen_ai_metrics", "span_metrics")},
        "extensions": {
            "health_check": {"endpoint": at(health)},
            "file_storage": {"directory": str(folder / "queue"), "create_directory": True},
        },
        "service": {
            "extensions": ["health_check", "bearertokenauth", "file_storage"],
            "telemetry": {"metrics": {"readers": [page]}},
            "pipelines": {"metrics": {"receivers": ["otlp", "gen_ai_metrics", "span_metrics"]}},
        },
    }


def _evaluation() -> Export:
    """A judge's word on an answer: no recording has one."""
    request = trace_request({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"})
    event = request.resource_spans[0].scope_spans[0].spans[0].events.add(name="gen_ai.evaluation.result")
    for key, value in (("gen_ai.evaluation.name", "faithfulness"), ("gen_ai.evaluation.score.label", "fail")):
        event.attributes.add(key=key).value.string_value = value
    event.attributes.add(key="gen_ai.evaluation.score.value").value.double_value = 0.4
    return Export("traces", "application/x-protobuf", request.SerializeToString(), 0)


def _watching(folder: Path, own: int, applications: int) -> contextlib.AbstractContextManager[Prometheus]:
    """Prometheus with the example's configuration and the rules, every second instead of every minute."""
    folder.mkdir()
    for file in ("recording.rules.yaml", "alerting.rules.yaml"):
        text = (FOLDER / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("interval: 1m", "interval: 1s"), encoding="utf-8")
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    for job, target in zip(config["scrape_configs"], (own, applications), strict=True):
        job["static_configs"] = [{"targets": [f"127.0.0.1:{target}"]}]
    return configured_prometheus(folder, config)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    require_program("prometheus")
    folder = tmp_path_factory.mktemp("rules")
    grpc, http, own, applications, health = free_ports(5)
    overlay = folder / "overlay.yaml"
    overlay.write_text(json.dumps(_overlay(folder, grpc, http, own, applications, health)), encoding="utf-8")
    names = ("gateway", "overlays/adversarial", "overlays/sampling")
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(grpc_backend(lambda _signal, _body: None))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(os.environ, "PENSTOCK_TOKEN", "for-tests")
        patch.setitem(os.environ, "PENSTOCK_BACKEND", f"127.0.0.1:{backend}")
        stack.enter_context(penstock_with([*(ROOT / "configs" / f"{name}.yaml" for name in names), overlay], folder))
        prometheus = stack.enter_context(_watching(folder / "prometheus", own, applications))
        sender = stack.enter_context(Sender(http))
        for recording in itertools.islice(load(), 0, None, 16):
            sender.send(recording.exports())
        sender.send([_evaluation()])
        yield Scene(prometheus, own, applications)


@pytest.mark.server
def test_every_metric_that_a_rule_names_exists(scene: Scene) -> None:
    single, spellings = _named_metrics()
    assert len(single) > 20
    assert len(spellings) > 20
    wanted = [[name] for name in sorted(single)] + spellings
    assert _in_time(scene, lambda: _missing(wanted, scene.names()), []) == []
    assert set(ELSEWHERE) <= single | set(itertools.chain.from_iterable(spellings))


def _missing(wanted: list[list[str]], there: set[str]) -> list[list[str]]:
    known = there | set(ELSEWHERE)
    return [names for names in wanted if not known.intersection(names)]


def _in_time(scene: Scene, ask: Callable[[], object], wanted: object) -> object:
    """The answer, when it is the wanted one: a scrape that a busy machine misses ends all series for a moment."""
    answers: list[object] = []

    def is_so() -> bool:
        answers[:] = [ask()]
        return answers[0] == wanted

    with contextlib.suppress(ServerError):
        scene.prometheus.server.wait_until(is_so, timeout_s=_PATIENCE_S)
    return answers[0]


@pytest.mark.server
def test_a_real_prometheus_evaluates_them_all(scene: Scene) -> None:
    wanted = {rule["record"] for rule in RECORDS} - UNSEEN
    seen: set[str] = set()

    def missing() -> set[str]:
        rows = scene.prometheus.query('count by (__name__) ({__name__=~"penstock:.+"})')
        seen.update(row["metric"]["__name__"] for row in rows)
        return wanted - seen

    assert _in_time(scene, missing, set()) == set()
    known = {(rule.get("record") or rule["alert"], "ok", "") for rule in (*RECORDS, *ALERTS)}
    told = _in_time(
        scene, lambda: {(rule["name"], rule["health"], rule.get("lastError", "")) for rule in scene.rules()}, known
    )
    assert told == known
    up = {"up"}
    assert _in_time(scene, lambda: {target["health"] for target in scene.prometheus.targets()}, up) == up


@pytest.mark.server
def test_all_that_came_is_accounted_for(scene: Scene) -> None:
    query = scene.prometheus.query
    unaccounted = "penstock:processor_unaccounted_items"
    scene.prometheus.server.wait_until(lambda: bool(query(f"max(max_over_time({unaccounted}[2s])) == 0")), _PATIENCE_S)
    wanted = {("tail_sampling", "traces"), ("batch", "logs"), ("redaction", "traces"), ("redaction", "logs")}

    def seen() -> set[tuple[str, str]]:
        rows = query(f"last_over_time({unaccounted}[5m])")
        return wanted & {(row["metric"]["processor"], row["metric"]["otel_signal"]) for row in rows}

    assert _in_time(scene, seen, wanted) == wanted
    came = 'max_over_time(penstock:processor_items:total{processor="tail_sampling", direction="incoming"}[5m]) > 0'
    assert query(came)
    firing = {row["metric"]["alertname"] for row in query('ALERTS{alertstate="firing"}')}
    assert firing & {"PenstockConservationBroken", "PenstockDataLost", "PenstockDropsInError", "PenstockDown"} == set()


@pytest.mark.server
def test_labels_of_the_applications_do_not_replace_those_of_the_target(scene: Scene) -> None:
    calls = "last_over_time(penstock_gen_ai_client_calls_total[5m])"
    scene.prometheus.server.wait_until(lambda: bool(scene.prometheus.query(calls)), _PATIENCE_S)
    rows = scene.prometheus.query(calls)
    assert {row["metric"]["job"] for row in rows} == {"penstock-gen-ai"}
    assert {row["metric"]["instance"] for row in rows} == {f"127.0.0.1:{scene.applications}"}
    assert {row["metric"]["exported_job"] for row in rows}


@pytest.mark.server
def test_every_query_of_the_runbook_is_one(scene: Scene) -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    blocks = re.findall(r"^```promql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    queries = [line for block in blocks for line in block.splitlines()]
    begins = re.compile(r"(?:penstock[:_]|otelcol_|rate\(|sum |topk\()[^*]+$")
    queries += filter(begins.match, re.findall(r"`([^`\n]+)`", text))
    assert len(queries) > 40
    for query in queries:
        scene.prometheus.query(query)
