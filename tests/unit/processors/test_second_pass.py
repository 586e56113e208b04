"""A gateway behind a sidecar: records that have been through normaliser, latency and cost are left as they are."""

from __future__ import annotations

import pytest

from pipeline import registry
from pipeline.component import Processor
from pipeline.registry import Kind
from pipeline.signals import Batch
from pipeline.testing import configured, make_host
from tests.unit.processors.gen_ai_normalizer.properties import again, batches, recordings

CHAIN = ("gen_ai_normalizer", "gen_ai_latency", "gen_ai_cost")


def chain() -> list[Processor]:
    """The processors, as a process of its own has them."""
    return [configured(registry.get(Kind.PROCESSOR, name), make_host(name)) for name in CHAIN]


def through(processors: list[Processor], batch: Batch) -> Batch:
    for processor in processors:
        done = processor.process(batch)
        assert isinstance(done, Batch)
        batch = done
    return batch


@pytest.fixture(scope="module")
def sidecar() -> list[Processor]:
    return chain()


@pytest.fixture(scope="module")
def gateway() -> list[Processor]:
    return chain()


@pytest.mark.parametrize("dialect", recordings())
def test_a_second_pass_changes_nothing(dialect: str, sidecar: list[Processor], gateway: list[Processor]) -> None:
    for recording in recordings()[dialect]:
        for batch in batches(recording):
            once = through(sidecar, batch)
            assert through(gateway, again(once)).serialize() == once.serialize()
