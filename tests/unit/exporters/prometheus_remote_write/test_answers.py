"""What answers mean, and what is sent again because of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from pipeline.delivery import DeliveryStage
from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.signals import Outcome, Signal
from pipeline.testing import metric_value
from tests.support.remote_write import decoded, name_of, samples, times
from tests.unit.exporters.http_server import Answer, HttpServer, answering, http_server
from tests.unit.exporters.prometheus_remote_write.remote import NOW, NOW_MS, Request, exporter_to, new_host

Taken = Callable[[bytes], bool]


def taking(taken: Taken, status: int = 400, body: bytes = b"") -> Answer:
    """A backend that takes requests as a whole, or not at all."""

    async def answer(raw: bytes, _request: web.Request) -> web.Response:
        return web.Response(status=204) if taken(raw) else web.Response(status=status, body=body)

    return answer


def without(*names: str) -> Taken:
    return lambda raw: not any(name_of(series) in names for series in decoded(raw).timeseries)


def arrived(server: HttpServer, taken: Taken) -> list[tuple[str, float, int]]:
    return samples(*filter(taken, server.bodies))


def many(count: int = 40) -> Request:
    request = Request()
    for index in range(count):
        request.gauge(f"m{index}", index)
    return request


async def _error(answer: Answer) -> DeliveryError:
    async with http_server(answer) as server, exporter_to(server.url) as exporter:
        with pytest.raises(DeliveryError) as raised:
            await exporter.export(Request().gauge("m", 1).batch())
    return raised.value


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 507])
async def test_these_are_sent_again_after_the_time_the_backend_says(status: int) -> None:
    error = await _error(answering(status, b"busy", headers={"retry-after": "7"}))
    assert isinstance(error, Refused)
    assert (str(error), error.said, error.retry_after_s) == (f"backend answered HTTP {status}", "busy", 7.0)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 422])
async def test_these_never(status: int) -> None:
    error = await _error(answering(status, b"secret", headers={"location": "/x"}))
    assert isinstance(error, Rejected)
    assert not error.divisible
    assert str(error).startswith(f"backend answered HTTP {status}")
    assert "secret" not in str(error)
    assert ("--web.enable-remote-write-receiver" in str(error)) is (status == 404)


@pytest.mark.parametrize(
    "said", [b"runtime error: slice bounds out of range", b"index 5 out of bounds", b"cannot reach the histogram store"]
)
async def test_a_backend_that_speaks_of_its_own_trouble_is_asked_again(said: bytes) -> None:
    """Prometheus answers 400 to what is out of bounds; with 5xx, a backend may say this of itself."""
    assert isinstance(await _error(answering(500, said)), Refused)


async def test_a_backend_that_is_away_is_asked_again() -> None:
    async with http_server() as server:
        pass
    async with exporter_to(server.url) as exporter:
        with pytest.raises(Refused):
            await exporter.export(Request().gauge("m", 1).batch())


@pytest.mark.parametrize("error", [OSError(5, "disk"), MemoryError(), Refused("no token yet")])
async def test_what_goes_wrong_here_before_a_request_is_sent_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a token that cannot be read now, say."""

    async def raising(_url: str, _body: bytes) -> None:
        raise error

    async with exporter_to("http://127.0.0.1:1") as exporter:
        monkeypatch.setattr(exporter._backend, "post", raising)
        with pytest.raises(Refused):
            await exporter.export(Request().gauge("m", 1).batch())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"out of order sample\n", "out_of_order"),
        (b"duplicate sample for timestamp", "duplicate"),
        (b"out of bounds", "out_of_bounds"),
        (b"too old sample", "too_old"),
        (b"native histograms are disabled", "native_histograms_disabled"),
        (b"histogram's observation count should be at least", "invalid_histogram"),
        (b'label name "a" is not unique: invalid sample', "invalid_sample"),
        (b"no histogram for you", "invalid_histogram"),
        (b"", "http_400"),
    ],
)
@pytest.mark.parametrize("status", [400, 500])
async def test_the_good_samples_arrive_and_the_bad_are_counted(status: int, body: bytes, reason: str) -> None:
    """Some releases of Prometheus answer 500 where samples are at fault."""
    if status == 500 and (reason in ("http_400", "out_of_bounds") or b"for you" in body):
        return
    host, taken = new_host(), without("m7", "m31")
    async with (
        http_server(taking(taken, status, body)) as server,
        exporter_to(server.url, host, max_batch_request_parallelism=1) as exporter,
    ):
        await exporter.export(many().batch())
    assert sorted(arrived(server, taken)) == sorted((f"m{i}", i, NOW_MS) for i in range(40) if i not in (7, 31))
    assert metric_value(host, "penstock_prometheus_rejected_samples_total", reason=reason) == 2
    assert len(server.bodies) < 30


async def test_a_backend_that_takes_nothing_is_not_asked_about_every_series() -> None:
    host = new_host()
    async with http_server(answering(400)) as server, exporter_to(server.url, host) as exporter:
        with pytest.raises(Rejected):
            await exporter.export(many(2000).batch())
    assert len(server.bodies) < 200
    assert metric_value(host, "penstock_prometheus_rejected_samples_total", reason="http_400") == 2000


async def test_of_a_series_the_earlier_sample_always_goes_first() -> None:
    """As a Prometheus that has a newer sample than the first ones."""
    newest_ms = NOW_MS + 4000

    def taken(raw: bytes) -> bool:
        return all(stamp > newest_ms for stamps in times(raw).values() for stamp in stamps)

    host = new_host()
    request = Request()
    for name in ("a", "b"):
        request.gauge(name, *range(10))
    async with http_server(taking(taken)) as server, exporter_to(server.url, host) as exporter:
        await exporter.export(request.batch())
    found = arrived(server, taken)
    for name in ("a", "b"):
        assert [(v, t) for n, v, t in found if n == name] == [(i, NOW_MS + i * 1000) for i in range(5, 10)]
    assert metric_value(host, "penstock_prometheus_rejected_samples_total", reason="http_400") == 10


async def test_a_backend_that_takes_no_sample_of_a_series_is_not_asked_about_each() -> None:
    """As after a long outage: thousands of samples of few series, all too old."""
    host = new_host()
    async with (
        http_server(answering(400, b"out of bounds")) as server,
        exporter_to(server.url, host) as exporter,
    ):
        with pytest.raises(Rejected):
            await exporter.export(Request().gauge("a", *range(5000)).batch())
    assert len(server.bodies) < 1000
    assert metric_value(host, "penstock_prometheus_rejected_samples_total", reason="out_of_bounds") == 5000


async def test_what_is_given_up_with_others_is_a_small_part_of_what_was_rejected() -> None:
    border_ms = NOW_MS + 700 * 1000

    def taken(raw: bytes) -> bool:
        return all(stamp >= border_ms for stamps in times(raw).values() for stamp in stamps)

    request = Request().gauge("a", *range(1500))
    async with http_server(taking(taken, 400, b"too old sample")) as server, exporter_to(server.url) as exporter:
        await exporter.export(request.batch())
    assert len(arrived(server, taken)) >= 800 - 700 // 32
    assert len(server.bodies) < 500


async def test_what_is_rejected_again_and_again_goes_apart_from_the_others() -> None:
    """Two senders with the same labels: of each batch, the same half is too late. Then one of them ends."""
    bad = {f"m{index}" for index in range(0, 400, 2)}
    rejecting = True

    async def answer(raw: bytes, _request: web.Request) -> web.Response:
        is_bad = rejecting and any(name_of(series) in bad for series in decoded(raw).timeseries)
        return web.Response(status=400 if is_bad else 204, body=b"out of order sample" if is_bad else b"")

    asked: list[int] = []
    async with http_server(answer) as server, exporter_to(server.url) as exporter:
        for step in range(7):
            rejecting = step < 5
            before = len(server.bodies)
            await exporter.export(many(400).batch())
            asked.append(len(server.bodies) - before)
    assert min(asked[:3]) > 400
    assert max(asked[3:5]) < 200
    assert asked[5:] == [2, 1]


async def test_rejected_samples_are_counted_also_where_the_rest_is_cut_short() -> None:
    host, came, over = new_host(), asyncio.Event(), asyncio.Event()

    async def answer(raw: bytes, _request: web.Request) -> web.Response:
        if b"bad" in raw:
            return web.Response(status=400, body=b"out of order sample")
        came.set()
        await over.wait()
        return web.Response(status=204)

    request = Request().gauge("bad", 1).gauge("good", 1)
    keys = {"max_batch_size_bytes": 1, "max_batch_request_parallelism": 1}
    async with http_server(answer) as server, exporter_to(server.url, host, **keys) as exporter:
        attempt = asyncio.ensure_future(exporter.export(request.batch()))
        await came.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        over.set()
    assert metric_value(host, "penstock_prometheus_rejected_samples_total", reason="out_of_order") == 1


async def test_a_translation_that_takes_longer_than_an_attempt_comes_to_its_end() -> None:
    """A batch larger than what can be translated within `timeout` arrives all the same, its target_info too."""
    host = new_host()
    request = Request({"service.name": "shop", "zone": "a"})
    for index in range(2000):
        request.gauge(f"m{index}", index)
    batch = request.batch()
    async with http_server() as server, exporter_to(server.url, host) as exporter:
        for _ in range(100):
            attempt = asyncio.ensure_future(exporter.export(batch))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if server.bodies:
                break
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
        await exporter.export(batch)
    found = {name for name, _, _ in samples(*server.bodies)}
    assert len(found) == 2001
    assert metric_value(host, "otelcol_exporter_prometheusremotewrite_translated_time_series_total") == 2001


async def test_an_answer_about_ourselves_ends_the_batch_and_counts_all_of_it() -> None:
    """Also in the middle of a search for what is at fault."""
    host = new_host()
    answers = iter([400, 400, 204, 401])

    async def answer(_raw: bytes, _request: web.Request) -> web.Response:
        return web.Response(status=next(answers))

    request = Request().gauge("a", *range(4)).gauge("b", 1)
    async with http_server(answer) as server, exporter_to(server.url, host) as exporter:
        await exporter.export(request.batch())
    assert samples(server.bodies[2]) == [("a", 0, NOW_MS), ("a", 1, NOW_MS + 1000)]
    assert metric_value(host, "penstock_prometheus_rejected_samples_total", reason="http_401") == 3


async def test_what_has_arrived_is_not_sent_again() -> None:
    """Requests of one batch of which some are refused at first."""
    refusals = {"m3": 2, "m20": 1}

    def taken(raw: bytes) -> bool:
        for series in decoded(raw).timeseries:
            if refusals.get(name_of(series), 0):
                refusals[name_of(series)] -= 1
                return False
        return True

    accepted: list[bytes] = []

    async def answer(raw: bytes, _request: web.Request) -> web.Response:
        if taken(raw):
            accepted.append(raw)
            return web.Response(status=204)
        return web.Response(status=503)

    batch = many().batch()
    async with http_server(answer) as server, exporter_to(server.url, max_batch_size_bytes=100) as exporter:
        for _ in range(2):
            with pytest.raises(Refused):
                await exporter.export(batch)
        await exporter.export(batch)
    assert sorted(samples(*accepted)) == sorted((f"m{i}", i, NOW_MS) for i in range(40))
    assert len(server.bodies) == len(accepted) + 3
    assert all(len(raw) < 120 for raw in server.bodies)


async def test_a_request_that_got_no_answer_is_sent_again_as_it_was() -> None:
    came, over = asyncio.Event(), asyncio.Event()

    async def answer(_raw: bytes, _request: web.Request) -> web.Response:
        if len(server.bodies) == 1:
            came.set()
            await over.wait()
        return web.Response(status=204)

    batch = many().batch()
    async with http_server(answer) as server, exporter_to(server.url) as exporter:
        attempt = asyncio.ensure_future(exporter.export(batch))
        await came.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await exporter.export(batch)
        over.set()
    first, second = server.bodies
    assert first == second


async def test_batches_wait_for_their_turn_while_one_is_tried_again() -> None:
    """Also without a queue, where each sender's batch has a task of its own."""
    refused = 3

    async def answer(_raw: bytes, _request: web.Request) -> web.Response:
        nonlocal refused
        refused -= 1
        return web.Response(status=503 if refused >= 0 else 204)

    for queue in ({"enabled": False}, {"enabled": True}):
        refused = 3
        host = new_host()
        keys: dict[str, Any] = {"sending_queue": queue, "retry_on_failure": {"initial_interval": 0.01}}
        async with http_server(answer) as server, exporter_to(server.url, host, **keys) as exporter:
            stage = DeliveryStage(exporter, exporter.config, host, Signal.METRICS)
            await stage.start()
            batches = [Request().gauge("m", step, time_ns=NOW + step * 10**9).batch() for step in range(5)]
            async with asyncio.TaskGroup() as group:
                for batch in batches:
                    group.create_task(stage.consume(batch))
                    await asyncio.sleep(0)
            outcomes = [await batch.delivery.wait() for batch in batches]
            await stage.stop()
        assert outcomes == [Outcome.DELIVERED] * 5
        assert [value for _, value, _ in samples(*server.bodies)] == [0, 0, 0, 0, 1, 2, 3, 4]
