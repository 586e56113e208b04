"""What is remembered of series is bounded, and says the same as if nothing were remembered."""

from __future__ import annotations

import random
from functools import partial

import pytest

from pipeline.exporters.prometheus_remote_write import contexts
from pipeline.exporters.prometheus_remote_write.collected import Collected
from pipeline.exporters.prometheus_remote_write.config import RemoteWriteConfig
from pipeline.exporters.prometheus_remote_write.contexts import Contexts, MetricContext, ResourceContext
from pipeline.exporters.prometheus_remote_write.translation import Translator
from pipeline.prometheus.drops import Drops
from tests.unit.exporters.prometheus_remote_write.remote import Request, new_host, written_samples


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    known = Contexts(max_bytes=3000)
    made: list[bytes] = []

    def context(name: bytes) -> MetricContext:
        def make() -> MetricContext:
            made.append(name)
            return MetricContext("m", "m", "gauge")

        return known.metric((name,), make)

    known.learn(context(b"a"), b"k" * 500, b"", 500)
    known.learn(context(b"b"), b"k" * 500, b"", 500)
    context(b"a")
    known.trim()
    assert context(b"a").series
    context(b"b")
    assert made == [b"a", b"b", b"b"]
    known.learn(context(b"c"), b"k" * 500, b"", 1500)
    known.trim()
    assert made.count(b"a") == 1
    context(b"a")
    assert made.count(b"a") == 2


def test_resources_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "_MAX_RESOURCES", 2)
    known = Contexts()
    made: list[bytes] = []

    def make(name: bytes) -> ResourceContext:
        made.append(name)
        return ResourceContext({}, b"")

    for name in (b"a", b"b", b"a", b"c", b"a", b"b"):
        known.resource(name, partial(make, name))
    assert made == [b"a", b"b", b"c", b"b"]


async def test_a_translator_that_forgets_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    batches = []
    for _ in range(10):
        request = Request({"service.name": draw.choice("ab")})
        for _ in range(10):
            request.gauge(draw.choice("mno"), draw.random(), k=draw.choice("xyz"), time_ns=draw.randrange(1, 10**19))
        batches.append(request.batch())
    remembered = await written_samples(*batches)
    monkeypatch.setattr(contexts.Contexts.__init__, "__defaults__", (0,))
    assert await written_samples(*batches) == remembered
    assert len(remembered) > 10


def test_series_of_other_resources_scopes_units_and_kinds_are_not_mixed_up() -> None:
    translator = Translator(RemoteWriteConfig(endpoint="http://x:1"), Drops(new_host()))
    found = set()
    for resource in ({}, {"service.name": "a"}, {"service.name": "b"}):
        for scope in ("", "s"):
            for unit in ("", "s"):
                request = Request(resource, scope=scope)
                request.gauge("m", 1)
                request.scope.metrics[0].unit = unit
                request.sum("m", 1, unit=unit)
                collected = Collected()
                for _ in translator.translate(request.message.SerializeToString(), collected):
                    pass
                found |= set(collected.series)
    assert len(found) == 3 * 2 * 2 * 2
