"""Whatever stands in a file: it loads, or it is a ConfigError."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import load
from pipeline.config.loading import examine
from pipeline.config.report import rows
from pipeline.errors import ConfigError
from tests.unit.config.fakes import TYPES, FakeCatalog

ENVIRON = {"A": "1", "B": "[a, {b: c}]", "C": "${env:C}", "D": "${env:A}$", "E": ""}

WORDS = [
    *TYPES, "service", "pipelines", "telemetry", "extensions", "traces", "metrics/x", "logs", "otlp", "otlp_grpc",
    "otlp/2", "debug", "forward", "count", "storage", "actions", "protocols", "grpc", "http", "endpoint", "tls",
    "idle", "headers", "queue", "size", "min_size", "patterns", "rules", "type", "mapped", "ref", "wait", "from",
    "level", "readers", "resource", "x/", "/", "a::b", "::", "otlp::protocols::grpc", "", " otlp ",
]  # fmt: skip

VALUES = [
    "5s", "10", "(", "${env:A}", "${env:B}", "x${env:B}", "${env:C}", "${env:D}", "${env:E}", "${env:NO}", "$${env:A}",
    "${x:y}", "${env:NO:-${env:A}}", "${file:nothing}", "$$", "share", "latency",
]  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(WORDS),
    st.sampled_from(VALUES),
)
names = st.one_of(st.sampled_from(WORDS), st.text(max_size=6))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
    max_leaves=30,
)
files = st.dictionaries(st.sampled_from(WORDS[:12]) | names, trees, max_size=7)

quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def attempt(path: Path, sets: tuple[str, ...] = ()) -> None:
    with suppress(ConfigError):
        load([str(path)], sets, environ=ENVIRON, catalog=FakeCatalog())


@given(files)
@quick
def test_any_tree(tmp_path: Path, tree: dict[str, Any]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    attempt(path)


@given(files)
@quick
def test_every_key_of_a_readable_file_has_a_row(tmp_path: Path, tree: dict[str, Any]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    try:
        examination = examine([str(path)], environ=ENVIRON, catalog=FakeCatalog())
    except ConfigError:
        return
    reported = [row.path for row in rows(examination)]
    assert {row[:1] for row in reported} == {(key,) for key in examination.root.items}
    assert len(set(reported)) == len(reported)


@given(st.binary(max_size=200))
@quick
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    attempt(path)


@given(st.text(alphabet="ab01 :-[]{}'\"&*!|>%@`,#?\n\t$~<", max_size=60))
@quick
def test_any_punctuation(tmp_path: Path, content: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(content, encoding="utf-8")
    attempt(path)


@given(st.lists(st.text(alphabet="ab.=:[]{}$ ", max_size=12), max_size=3))
@quick
def test_any_setting(tmp_path: Path, sets: list[str]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("receivers: {otlp: {protocols: {grpc: }}}\n", encoding="utf-8")
    attempt(path, tuple(sets))


@pytest.mark.parametrize(
    "seed", ["- " * 5000, "[" * 5000, "{a: " * 5000, "a: " * 5000, "? " * 5000, "&a " * 5000, "!" * 5000]
)
def test_deep_and_long(tmp_path: Path, seed: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(seed, encoding="utf-8")
    attempt(path)
