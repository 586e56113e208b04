"""Finding components, and plug-ins that cannot be loaded."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.connectors.forward import Forward
from pipeline.errors import ConfigError
from pipeline.registry import Kind


def test_built_in_components_are_found_by_every_name() -> None:
    assert registry.get(Kind.CONNECTOR, "forward") is Forward
    assert registry.get(Kind.EXPORTER, "otlp") is registry.get(Kind.EXPORTER, "otlp_grpc")
    assert registry.names(Kind.CONNECTOR) == sorted(registry.names(Kind.CONNECTOR))
    assert Kind.PROCESSOR.singular == "processor"


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        registry.get(Kind.CONNECTOR, "no_such_type")


@pytest.mark.parametrize(
    "body", ["import no_such_module_at_all", "raise ValueError('at import')", "def broken(", "Other = 1"]
)
def test_a_plug_in_that_cannot_be_loaded_is_named(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    module = f"penstock_test_plugin_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("bad", f"{module}:Component", "penstock.processors")
    monkeypatch.setattr(registry, "_entries", lambda group: {"bad": entry})
    with pytest.raises(ConfigError, match=f'processor "bad" of package unknown cannot be loaded .{module}'):
        registry.get(Kind.PROCESSOR, "bad")


def test_everything_of_another_group_can_be_listed_and_loaded() -> None:
    assert set(registry.load_all("commands")) == set(registry.entries("commands"))
