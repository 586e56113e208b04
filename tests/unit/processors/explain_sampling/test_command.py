"""`penstock explain-sampling` on generated traffic and on recordings: what is kept, by whom, how true estimates are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import PenstockError
from processors.explain_sampling.command import explain_sampling
from tests.support.sampling import PlainTrace, Traffic, generate, totals
from tests.support.sampling_otlp import sendings

CAPTURES = Path("tests/data/captures")
TRAFFIC = Traffic(traces=1000, late_share=0, orphan_share=0, session_share=0, error_share=0.03, duplicate_share=0)
ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
BASELINE = {"name": "baseline", "type": "probabilistic", "probabilistic": {"sampling_percentage": 20}}
LIMIT = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 2}}
NO_TOOLS = {
    "name": "no tools",
    "type": "drop",
    "drop": {"drop_sub_policy": [{"name": "long", "type": "span_count", "span_count": {"min_spans": 6}}]},
}
WIDTH = 100


def record(folder: Path, traces: list[PlainTrace]) -> Path:
    path = folder / "traces.bin"
    path.write_bytes(b"".join(len(each.raw).to_bytes(4, "big") + each.raw for each in sendings(traces)))
    return path


def configure(folder: Path, name: str, policies: list[dict[str, Any]], *before: str, **keys: Any) -> str:
    tree = {
        "receivers": {"nop": {}},
        "processors": {"tail_sampling": {"deadline": {}, "policies": policies, **keys}} | {item: {} for item in before},
        "exporters": {"nop": {}},
        "service": {
            "pipelines": {
                "traces": {"receivers": ["nop"], "processors": [*before, "tail_sampling"], "exporters": ["nop"]}
            }
        },
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return str(path)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[PlainTrace]]:
    traces = generate(TRAFFIC)
    return record(tmp_path_factory.mktemp("recorded"), traces), traces


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert explain_sampling([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_union_of_rules(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, traces = traffic
    config = configure(tmp_path, "a", [ERRORS, BASELINE], weights=True)
    (found,) = as_json(capsys, str(path), "--config", config)["configurations"]
    errors, baseline = found["rules"]
    failed = sum(trace.is_error for trace in traces)
    assert (errors["matched"], errors["decided"], errors["thresholds"]) == (failed, failed, ["0", "0"])
    assert found["kept"]["traces"] == failed + baseline["decided"]
    assert baseline["matched"] - baseline["decided"] == errors["decided"] - errors["alone"]
    assert baseline["matched"] == pytest.approx(0.2 * len(traces), rel=0.2)
    assert found["recorded"]["spans"] == sum(len(trace.spans) for trace in traces)


def test_estimates_beside_the_truth(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, traces = traffic
    config = configure(tmp_path, "a", [ERRORS, BASELINE], weights=True)
    (found,) = as_json(capsys, str(path), "--config", config)["configurations"]
    lines = {line["name"]: line for line in found["estimates"]}
    truth = totals(traces)
    assert lines["traces"]["truth"] == len(traces)
    assert lines["tokens"]["truth"] == truth.tokens
    assert lines["cost, USD"]["truth"] == pytest.approx(truth.cost_usd)
    assert lines["errors"]["truth"] == lines["errors"]["estimate"] == truth.errors
    assert lines["errors"]["margin"] == 0
    assert all(abs(line["estimate"] - line["truth"]) <= 2 * line["margin"] for line in found["estimates"])


def test_what_was_sampled_before_stands_for_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traces = generate(replace(TRAFFIC, incoming_share=0.5))
    path = record(tmp_path, traces)
    config = configure(tmp_path, "a", [BASELINE], weights=True)
    (found,) = as_json(capsys, str(path), "--config", config)["configurations"]
    line = found["estimates"][0]
    assert line["truth"] == pytest.approx(totals(traces).traces)
    assert line["truth"] > 1.5 * len(traces)
    assert abs(line["estimate"] - line["truth"]) <= 2 * line["margin"]


def test_a_token_bucket_is_left_out_of_estimates(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, "a", [ERRORS, LIMIT], weights=True)
    (found,) = as_json(capsys, str(traffic[0]), "--config", config)["configurations"]
    assert found["unknown"]["traces"] > 100
    assert found["rules"][1]["unknown"] == found["rules"][1]["matched"]


def test_without_weights_nothing_is_estimated(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain_sampling([str(traffic[0]), "--config", configure(tmp_path, "a", [ERRORS])]) == 0
    assert "no weights are written" in capsys.readouterr().out


def test_two_configurations(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, traces = traffic
    one, other = configure(tmp_path, "a", [ERRORS, BASELINE]), configure(tmp_path, "b", [NO_TOOLS, ERRORS])
    found = as_json(capsys, str(path), "--config", one, "--against", other)
    kept = [run["kept"]["traces"] for run in found["configurations"]]
    difference = found["difference"]
    assert kept == [difference["both"]["traces"] + difference[only]["traces"] for only in ("only_a", "only_b")]
    assert difference["only_b"]["traces"] == 0
    assert difference["both"]["traces"] == sum(trace.is_error and len(trace.spans) < 6 for trace in traces)
    assert sum(difference["only_a"]["rules"].values()) == difference["only_a"]["traces"]


def test_it_is_the_same_each_time_and_fits_the_screen(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = [NO_TOOLS, ERRORS, BASELINE, LIMIT | {"name": "a limit with a name that is far too long to be read"}]
    arguments = [
        str(traffic[0]),
        "--config", configure(tmp_path, "a", policies, weights=True),
        "--against", configure(tmp_path, "b", [ERRORS], weights=True),
    ]  # fmt: skip
    texts = []
    for _ in range(2):
        assert explain_sampling(arguments) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    for line in texts[0].splitlines():
        assert len(line) <= WIDTH or str(tmp_path) in line


def test_one_trace(traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, traces = traffic
    config = configure(tmp_path, "a", [ERRORS, BASELINE], weights=True)
    failed = next(trace for trace in traces if trace.is_error)
    arguments = [str(path), "--config", config, "--trace", failed.trace_id.hex()]
    assert explain_sampling(arguments) == 0
    text = capsys.readouterr().out
    assert f"R = {failed.trace_id[-7:].hex()}" in text
    assert "kept by errors: th:0, stands for 1 traces" in text
    (row,) = [line.split() for line in text.splitlines() if line.startswith("baseline")]
    assert row[1:4] == ["probabilistic", "0.2", "cccccccccccccc"]
    found = as_json(capsys, *arguments)
    assert found["decision"] == {"kept": True, "rule": "errors", "threshold": "0"}
    assert found["rules"]["errors"] == "0"


def test_recordings_through_the_chain_in_front(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The normaliser and the prices have to be there first: the recording has neither."""
    costly = {"name": "costly", "type": "attribute", "attribute": {"key": "penstock.cost.usd", "min": 0.0000001}}
    chain = ("gen_ai_normalizer", "gen_ai_cost")
    config = configure(tmp_path, "a", [costly], *chain)
    recorded = str(CAPTURES / "openlit-openai")
    (without,) = as_json(capsys, recorded, "--config", config)["configurations"]
    (behind,) = as_json(capsys, recorded, "--config", config, "--chain")["configurations"]
    costs = [run["estimates"][-1]["truth"] for run in (without, behind)]
    assert without["kept"]["traces"] == 0
    assert behind["kept"]["traces"] > 0
    assert costs[0] == 0.0
    assert costs[1] > 0
    assert "gen_ai_normalizer, gen_ai_cost" in behind["name"]


def test_no_payload_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traces = generate(replace(TRAFFIC, traces=30, text_chars=200))
    path = record(tmp_path, traces)
    config = configure(tmp_path, "a", [ERRORS, BASELINE], weights=True)
    for more in ([], ["--trace", traces[0].trace_id.hex()], ["--format", "json"]):
        assert explain_sampling([str(path), "--config", config, *more]) == 0
        text = capsys.readouterr().out
        for span in (span for trace in traces for span in trace.spans):
            assert span.name not in text
            assert str(span.attributes.get("gen_ai.input.messages", "no text")) not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--processor", "tail_sampling/b"], "choose with --processor"),
        (["--trace", "0123456789abcdef"], "no id of the recording begins with"),
        (["--trace", "0"], "traces of the recording begin with 0"),
    ],
)
def test_what_cannot_be_explained(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(PenstockError, match=said):
        explain_sampling([str(traffic[0]), "--config", configure(tmp_path, "a", [ERRORS]), *arguments])


@pytest.mark.parametrize("trace", ["xyz", "0" * 33, ""])
def test_what_is_no_trace_id(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        explain_sampling(["file", "--config", "a.yaml", "--trace", trace])
    assert ended.value.code == 1
    assert "is no trace id" in capsys.readouterr().err


def test_policies_inside_others(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, traces = traffic
    both = {"name": "both", "type": "and", "and": {"and_sub_policy": [ERRORS, BASELINE]}}
    config = configure(tmp_path, "a", [both], weights=True)
    (found,) = as_json(capsys, str(path), "--config", config)["configurations"]
    outer, errors, baseline = found["rules"]
    assert [rule["name"] for rule in found["rules"]] == ["both", "both/errors", "both/baseline"]
    assert errors["matched"] == sum(trace.is_error for trace in traces)
    assert outer["matched"] == outer["decided"] == found["kept"]["traces"] <= errors["matched"]
    assert baseline["parent"] == "both"
    assert outer["thresholds"] == ["cccccccccccccc"] * 2


def test_what_resources_say_of_tenants_counts(
    traffic: tuple[Path, list[PlainTrace]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, traces = traffic
    covered = {
        "name": "covered",
        "type": "coverage",
        "coverage": {"keys": ["gen_ai.operation.name"], "per_tenant": True},
    }
    config = configure(tmp_path, "a", [covered])
    (found,) = as_json(capsys, str(path), "--config", config)["configurations"]
    assert found["kept"]["traces"] >= len({trace.tenant for trace in traces}) > 20
