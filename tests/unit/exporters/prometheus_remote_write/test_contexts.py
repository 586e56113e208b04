"""What is remembered of series is bounded, and says the same as if nothing were remembered."""

from __future__ import annotations

import random
from functools import partial

import pytest
from google.protobuf.message import DecodeError

from pipeline.clock import SystemClock
from pipeline.exporters.prometheus_remote_write import contexts
from pipeline.exporters.prometheus_remote_write.collected import Collected
from pipeline.exporters.prometheus_remote_write.config import RemoteWriteConfig
from pipeline.exporters.prometheus_remote_write.contexts import Contexts, MetricContext, ResourceContext
from pipeline.exporters.prometheus_remote_write.translation import Translator
from pipeline.prometheus.drops import Drops
from tests.unit.exporters.prometheus_remote_write.remote import NOW, Request, new_host, written_samples


def _metric(known: Contexts, name: bytes, made: list[bytes], resource: ResourceContext | None = None) -> MetricContext:
    def make() -> MetricContext:
        made.append(name)
        return MetricContext("m", "m", "gauge")

    return known.metric(resource or ResourceContext({}, b""), (name, b"", 5, b""), make)


def test_what_nobody_has_asked_for_in_minutes_is_forgotten() -> None:
    known = Contexts(max_bytes=2400)
    made: list[bytes] = []
    for name in (b"a", b"b"):
        known.learn(_metric(known, name, made), b"k" * 400, b"", 400)
    known.trim(400)
    assert _metric(known, b"b", made).series
    known.learn(_metric(known, b"c", made), b"k" * 400, b"", 400)
    known.trim(500)
    assert _metric(known, b"b", made).series
    assert _metric(known, b"c", made).series
    assert made == [b"a", b"b", b"c"]
    _metric(known, b"a", made)
    assert made == [b"a", b"b", b"c", b"a"]


def test_more_than_there_is_room_for_does_not_put_out_what_is_in_use() -> None:
    """Series come round after round; each is to be known when it comes again, as far as there is room."""
    known = Contexts(max_bytes=10_000)
    rounds: list[list[bytes]] = []
    for step in range(10):
        rounds.append([])
        for index in range(20):
            context = _metric(known, b"m%d" % index, rounds[-1])
            if not context.series:
                known.learn(context, b"k" * 350, b"", 350)
            known.trim(10.0 * step)
    assert len(rounds[0]) == 20
    assert all(len(made) < 15 for made in rounds[1:])


def test_resources_are_bounded_by_their_bytes() -> None:
    known = Contexts(max_bytes=4 * 2500)
    made: list[bytes] = []

    def make(name: bytes) -> ResourceContext:
        made.append(name[:1])
        return ResourceContext({}, b"")

    for name in (b"a", b"b", b"a", b"c", b"a", b"b"):
        known.resource(name * 1000, partial(make, name * 1000))
    assert made == [b"a", b"b", b"c", b"b"]


def test_a_large_resource_counts_as_long_as_its_metrics_hold_it() -> None:
    known = Contexts(max_bytes=100_000)
    made: list[bytes] = []
    for index in range(50):
        name = b"%d" % index
        resource = known.resource(name * 20_000, lambda: ResourceContext({}, b""))
        _metric(known, name, made, resource)
        known.trim(1000.0 * index)
    held = sum(len(key[0]) for key in known._metrics if isinstance(key[0], bytes))
    assert held < 200_000


def test_the_memory_of_a_request_that_is_no_request_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts.Contexts.__init__, "__defaults__", (20_000,))
    translator = Translator(RemoteWriteConfig(endpoint="http://x:1"), Drops(new_host()), SystemClock())
    for step in range(20):
        request = Request()
        for index in range(20):
            request.gauge(f"m{step}", 1, k=f"{step} {index} " + "x" * 500)
        request.gauge("last", 1, k="yyy")
        raw = request.message.SerializeToString().replace(b"yyy", b"\xff\xff\xff")
        with pytest.raises(DecodeError):
            for _ in translator.translate(raw, Collected()):
                pass
    assert translator._contexts._bytes <= 20_000


async def test_a_translator_that_forgets_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    batches = []
    for _ in range(10):
        request = Request({"service.name": draw.choice("ab")})
        for _ in range(10):
            request.gauge(draw.choice("mno"), draw.random(), k=draw.choice("xyz"), time_ns=draw.randrange(1, NOW))
        batches.append(request.batch())
    remembered = await written_samples(*batches)
    monkeypatch.setattr(contexts.Contexts.__init__, "__defaults__", (0,))
    assert await written_samples(*batches) == remembered
    assert len(remembered) > 10


def test_series_of_other_resources_scopes_units_and_kinds_are_not_mixed_up() -> None:
    translator = Translator(RemoteWriteConfig(endpoint="http://x:1"), Drops(new_host()), SystemClock())
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
