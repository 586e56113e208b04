"""Pytest fixtures of the real servers; a test that asks for one that is not there is skipped with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import backend, lookup
from tests.servers.kafka.broker import Broker, broker

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


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka broker that all tests share: each uses topics and groups of its own. Who kills brokers starts one."""
    with broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running
