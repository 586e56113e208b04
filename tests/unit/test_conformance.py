"""Every registered component against the conformance suite."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import registry
from pipeline.component import Component, Exporter, Processor
from pipeline.config import load
from pipeline.registry import Kind
from pipeline.testing import make_host
from pipeline.testing.conformance import check_exporter, check_life, check_processor, declaration_problems

# A public key as issuers of tokens publish theirs.
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "IjJldsmIOPA5bmqdQHcNWkZhGJfeX0LVmuOcBvIUNU4",
    "y": "UUx_ELaV0qvb8XzuCga9sewMMfFqZ8h2ag8ZXROJf_s",
}
HEAVY = ("hyperscan", "genai_prices", "grpc", "aiohttp", "phonenumbers", "zstandard", "bcrypt", "re2", "jwt")


@cache
def components(*kinds: Kind) -> list[Any]:
    return [
        pytest.param(kind, registry.get(kind, name), id=f"{kind.singular}-{name}")
        for kind in kinds
        for name in registry.names(kind)
        if registry.get(kind, name).type == name
    ]


def config_of(kind: Kind, component: type[Component], folder: Path) -> Any:
    """The component's own example, read as the configuration of a whole file would be."""
    (folder / "keys.json").write_text(json.dumps({"keys": [KEY]}))
    example = yaml.safe_load(
        re.sub(r"(?<!/)localhost:\d+", "localhost:0", component.example.replace("$TMP", str(folder)))
    )
    shell: dict[str, Any] = {
        "receivers": {"otlp": {"protocols": {"http": None}}},
        "exporters": {"nop": None},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["nop"]}}},
    }
    shell.setdefault(kind.value, {})[component.type] = example
    settings = load([f"yaml:{yaml.safe_dump(shell)}"])
    ((config,),) = [[item.config for item in getattr(settings, kind.value).values() if item.cls is component]]
    return config


@pytest.mark.parametrize(("kind", "component"), components(*Kind))
def test_declaration(kind: Kind, component: type[Component]) -> None:
    assert declaration_problems(component, kind) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_every_alias_is_registered_and_names_the_same_class(kind: Kind) -> None:
    for name in registry.names(kind):
        component = registry.get(kind, name)
        assert name in (component.type, *component.aliases)
        for alias in component.aliases:
            assert registry.get(kind, alias) is component


@pytest.mark.parametrize(("kind", "component"), components(Kind.PROCESSOR))
async def test_processor(kind: Kind, component: type[Processor], tmp_path: Path) -> None:
    await check_processor(component, config_of(kind, component, tmp_path))


@pytest.mark.parametrize(("kind", "component"), components(Kind.EXPORTER))
async def test_exporter(kind: Kind, component: type[Exporter], tmp_path: Path) -> None:
    await check_exporter(component, config_of(kind, component, tmp_path))


@pytest.mark.parametrize(("kind", "component"), components(*Kind))
async def test_life(kind: Kind, component: type[Component], tmp_path: Path) -> None:
    config = config_of(kind, component, tmp_path)

    def make() -> Component:
        made = component(config, make_host(component.type, kind=kind))
        if hasattr(made, "connect"):
            made.connect({})
        return made

    await check_life(make)


def test_listing_components_imports_no_heavy_library() -> None:
    code = (
        "import sys\nfrom pipeline import registry\nfrom pipeline.registry import Kind\n"
        "for kind in Kind:\n    for name in registry.names(kind): registry.get(kind, name)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
