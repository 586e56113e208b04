"""Pytest fixtures of the real servers; a test that asks for one that is not there is skipped with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import backend, lookup

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def otlp_backend() -> Iterator[backend.Backend]:
    """A backend of ours that keeps the request bodies it was sent."""
    with backend.otlp_backend() as running:
        yield running


@pytest.fixture(scope="session")
def telemetrygen() -> Path:
    """The program `telemetrygen`."""
    return lookup.require_program("telemetrygen")


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The program `promtool`."""
    return lookup.require_program("promtool")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder with the OpenTelemetry SDK for Node."""
    return lookup.require_node_modules()
