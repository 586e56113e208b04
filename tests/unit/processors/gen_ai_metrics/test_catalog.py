"""The catalogue: what each profile has, under which names, with which labels; and the page that says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.prometheus.names import Strategy, label_name, metric_name
from pipeline.signals import Value
from pipeline.testing import configured, make_host
from processors.gen_ai_metrics.catalog import FACTS, Catalog, load
from processors.gen_ai_metrics.connector import GenAiMetrics
from tests.unit.processors.gen_ai_metrics.counted import Made, counted, names, point, points, spans

CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.audio.input_tokens": 30,
    "gen_ai.usage.cache_creation.input_tokens": 5,
    "gen_ai.usage.reasoning.output_tokens": 20,
    "gen_ai.response.time_to_first_chunk": 0.2,
    "gen_ai.response.finish_reasons": ["stop", "stop", "length"],
    "penstock.gen_ai.role": "leaf",
}
ALL = load().metrics
PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"


async def test_profile_main_has_counters_by_modality() -> None:
    batch = await counted(spans(Made("c", CALL)), profile="main")
    usage = "gen_ai.client.inference.usage"
    incoming = {labels["gen_ai.token.modality"]: pb.as_int for labels, pb in points(batch, f"{usage}.input_tokens")}
    assert incoming == {"unknown": 70, "audio": 30}
    outgoing = {labels["gen_ai.token.modality"]: pb.as_int for labels, pb in points(batch, f"{usage}.output_tokens")}
    assert outgoing == {"unknown": 50}
    for part, count in (("cache_read.input", 40), ("cache_write.input", 5), ("reasoning.output", 20)):
        assert point(batch, f"{usage}.{part}_tokens")[1].as_int == count
    assert point(batch, "gen_ai.client.inference.operation.input_tokens")[1].sum == 100
    assert point(batch, "gen_ai.client.inference.duration")[1].count == 1
    assert point(batch, "gen_ai.client.inference.time_to_first_chunk")[1].count == 1
    assert not names(batch) & {"gen_ai.client.token.usage", "gen_ai.client.operation.duration"}


async def test_profile_main_says_zero_where_nobody_counted() -> None:
    bare: dict[str, Value] = {"gen_ai.operation.name": "chat", "error.type": "429"}
    batch = await counted(spans(Made("c", bare)), profile="main")
    labels, tokens = point(batch, "gen_ai.client.inference.usage.input_tokens")
    assert (labels["gen_ai.token.modality"], tokens.as_int) == ("unknown", 0)


async def test_profile_main_keeps_the_older_name_for_what_is_no_inference() -> None:
    batch = await counted(spans(Made("e", CALL | {"gen_ai.operation.name": "embeddings"})), profile="main")
    assert point(batch, "gen_ai.client.operation.duration")[0]["gen_ai.operation.name"] == "embeddings"
    assert "gen_ai.client.inference.duration" not in names(batch)


async def test_profile_main_takes_either_name_of_what_was_written_to_a_cache() -> None:
    main = {key: value for key, value in CALL.items() if "cache_creation" not in key}
    batch = await counted(spans(Made("c", main | {"gen_ai.usage.cache_write.input_tokens": 6}), Made("d", CALL)))
    classes = {
        labels["penstock.token.class"]: pb.as_int for labels, pb in points(batch, "penstock.gen_ai.client.tokens")
    }
    assert classes == {"input": 200, "output": 100, "cache_read": 80, "cache_write": 11, "reasoning": 40}


@pytest.mark.parametrize(
    ("profile", "key", "value"),
    [
        ("1.36", "gen_ai.system", "az.ai.openai"),
        ("1.41", "gen_ai.provider.name", "azure.ai.openai"),
        ("main", "gen_ai.provider.name", "azure.ai.openai"),
    ],
)
@pytest.mark.parametrize("said", [{}, {"gen_ai.provider.name": None, "gen_ai.system": "az.ai.openai"}])
async def test_a_profile_has_its_own_name_of_the_provider(
    profile: str, key: str, value: str, said: dict[str, Value]
) -> None:
    attributes: dict[str, Value] = {name: entry for name, entry in (CALL | said).items() if entry is not None}
    labels, _ = point(await counted(spans(Made("c", attributes)), profile=profile), "penstock.gen_ai.client.calls")
    assert labels[key] == value
    assert len(labels.keys() & {"gen_ai.system", "gen_ai.provider.name"}) == 1


async def test_each_reason_to_end_counts_once_for_a_call() -> None:
    batch = await counted(spans(Made("c", CALL), Made("d", CALL)))
    reasons = points(batch, "penstock.gen_ai.client.finish_reasons")
    assert {labels["gen_ai.response.finish_reason"]: pb.as_int for labels, pb in reasons} == {"stop": 2, "length": 2}


def test_every_kind_of_record_is_known() -> None:
    assert {kind for row in ALL for kind in row.of} <= set(FACTS)
    assert {value.fact for row in ALL for value in row.values if value.fact} <= {
        f for kind in FACTS.values() for f in kind
    }


@pytest.mark.parametrize("profile", ["1.36", "1.41", "main"])
def test_names_are_sane_in_prometheus(profile: str) -> None:
    rows = [row for row in ALL if not row.profiles or profile in row.profiles]
    shown = [
        metric_name(
            row.name, row.unit, "counter" if row.kind == "sum" else "histogram", Strategy.UNDERSCORES_WITH_SUFFIXES
        )
        for row in rows
    ]
    assert len(set(shown)) == len(shown)
    for name, row in zip(shown, rows, strict=True):
        assert re.fullmatch(r"(gen_ai|mcp|penstock_gen_ai)_[a-zA-Z_]+[a-zA-Z]", name), name
        assert name.endswith("_total") == (row.kind == "sum")
        assert name.endswith("_seconds") == (row.unit == "s")
        assert (row.kind == "histogram") == bool(row.bounds)
    Catalog(profile, [])


def test_labels_are_sane_in_prometheus() -> None:
    labels = {name for row in ALL for name in load().label_names(row.labels)}
    labels |= {name for row in ALL for value in row.values for name in (*value.labels, value.by) if name}
    shown = {label_name(label, utf8=False) for label in labels}
    assert len(shown) == len(labels)
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in shown)


def test_the_page_lists_every_metric_with_unit_kind_and_labels() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = {
        row[0]: row for row in re.findall(r"^\| `([a-z_.]+)` \| ([a-z]+) \| `([^`]+)` \| (.*?) \|", page, re.MULTILINE)
    }
    for row in ALL:
        assert row.name in listed, f"docs/metrics.md does not list {row.name}"
        _, kind, unit, labels = listed[row.name]
        assert (kind, unit) == (row.kind.replace("sum", "counter"), row.unit), row.name
        own = [name for value in row.values for name in (*value.labels, value.by) if name]
        for label in [*(name for name in row.labels if name not in load().labels), *own]:
            assert f"`{label}`" in labels, f"{row.name}: {label}"
    assert set(listed) == {row.name for row in ALL}


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"dimensions": ["a", {"name": "a"}]}, "duplicate dimension name a"),
        ({"dimensions": [{"name": ""}]}, "dimensions"),
        ({"profile": "1.40"}, "profile"),
        ({"joins": {"max_bytes": 5}}, "max_bytes"),
    ],
)
def test_what_cannot_be_is_refused(config: dict[str, Any], part: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=part):
        configured(GenAiMetrics, make_host("gen_ai_metrics"), **config)
