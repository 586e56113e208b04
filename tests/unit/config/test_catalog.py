"""Which components there are."""

import pytest

from pipeline import registry
from pipeline.config.catalog import KINDS, InstalledComponents


def test_sections_are_those_of_the_registry() -> None:
    assert set(KINDS) == {kind.value for kind in registry.Kind}


def test_installed_components_are_those_of_the_registry() -> None:
    installed = InstalledComponents()
    assert installed.names("connectors") == registry.names(registry.Kind.CONNECTOR)
    assert installed.get("connectors", "forward") is registry.get(registry.Kind.CONNECTOR, "forward")
    with pytest.raises(KeyError):
        installed.get("connectors", "nothing")
