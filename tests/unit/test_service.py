"""Graph and service with components made for the test: wiring, order of start and stop, drain, reload, roll-back."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, ClassVar

import pytest

from pipeline.component import Component, Connector, Exporter, Extension, Host, Processor, Receiver
from pipeline.config import ComponentId, ConfigModel, load
from pipeline.config.settings import Settings
from pipeline.connectors.forward import Forward
from pipeline.delivery import DeliveryConfig
from pipeline.errors import Refused, Rejected, StartError
from pipeline.service import Service
from pipeline.signals import Batch, Outcome, Signal, Value
from pipeline.testing import traces

EVENTS: list[str] = []
SENT: dict[str, list[Batch]] = {}


class Told(Component):
    """Tells the test when it starts and stops."""

    async def start(self) -> None:
        if getattr(self.config, "fail", False):
            raise StartError(f'failed to start "{self.host.id}": told to')
        EVENTS.append(f"start {self.host.id}")

    async def stop(self) -> None:
        EVENTS.append(f"stop {self.host.id}")
        await super().stop()


class ToldConfig(ConfigModel):
    """Settings of the test components."""

    fail: bool = False
    version: int = 0
    broken: bool = False


class In(Told, Receiver):
    """A receiver that the test feeds."""

    type = "in"
    Config = ToldConfig
    reconfigured: ClassVar[bool] = False

    async def send(self, *spans: dict[str, Value]) -> Batch:
        batch = traces(*spans)
        await self.next[Signal.TRACES].consume(batch)
        return batch

    async def reconfigure(self, config: Any) -> bool:
        if config.fail:
            return False
        self.config = config
        EVENTS.append(f"reconfigure {self.host.id} {config.version}")
        return True


class Source(In):
    """A receiver that is told to take nothing more before it is stopped; the test sees what had been delivered."""

    type = "source"
    batch: Batch

    async def send(self, *spans: dict[str, Value]) -> Batch:
        self.batch = await super().send(*spans)
        return self.batch

    async def stop_intake(self) -> None:
        EVENTS.append("take no more")

    async def stop(self) -> None:
        EVENTS.append(f"stopped when {self.batch.delivery.outcome.name}")
        await super().stop()


class Mark(Told, Processor):
    """Appends its version to an attribute."""

    type = "mark"
    Config = ToldConfig

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        if config.broken:
            raise ValueError("payload text")

    def process(self, batch: Batch) -> Batch | None:
        for record in batch.records():
            marks = record.attributes.get("marks", "")
            record.attributes["marks"] = f"{marks!s}{self.config.version}"
        return batch


class Tee(Told, Connector):
    """Counts and ends what it is given."""

    type = "tee"
    pairs = frozenset({(Signal.TRACES, Signal.METRICS)})
    Config = ToldConfig

    async def consume(self, batch: Batch) -> None:
        batch.delivery.end(Outcome.DELIVERED)


class OutConfig(DeliveryConfig):
    """Settings of the test exporter."""

    fail: bool = False
    version: int = 0
    rejects: bool = False
    fails_to_stop: bool = False


class Out(Told, Exporter):
    """Keeps what it exports."""

    type = "out"
    Config = OutConfig
    refusals: ClassVar[int] = 0

    async def export(self, batch: Batch) -> None:
        if Out.refusals:
            Out.refusals -= 1
            raise Refused("backend away")
        if self.config.rejects:
            raise Rejected("never")
        SENT.setdefault(str(self.host.id), []).append(batch)

    async def stop(self) -> None:
        await super().stop()
        if self.config.fails_to_stop:
            raise ValueError("payload text")


class Hold(Told, Processor):
    """Holds what it is given until it stops; a held batch named `stuck` does not let it."""

    type = "hold"
    Config = ToldConfig

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self.held: list[Batch] = []

    async def consume(self, batch: Batch) -> None:
        self.held.append(batch)

    async def stop(self) -> None:
        for batch in self.held:
            if "stuck" in batch.records()[0].attributes:
                await asyncio.Event().wait()
            await self.next.consume(batch)
        await super().stop()


class Helper(Told, Extension):
    """An extension that watches the pipelines."""

    type = "helper"
    Config = ToldConfig
    listens = True

    def pipelines_ready(self) -> None:
        EVENTS.append("ready")

    def pipelines_not_ready(self) -> None:
        EVENTS.append("not ready")


COMPONENTS: dict[str, dict[str, type[Component]]] = {
    "receivers": {"in": In, "source": Source},
    "processors": {"mark": Mark, "hold": Hold},
    "exporters": {"out": Out},
    "connectors": {"forward": Forward, "tee": Tee},
    "extensions": {"helper": Helper},
}


class TestCatalog:
    """Knows the components of this file."""

    def names(self, kind: str) -> list[str]:
        return sorted(COMPONENTS[kind])

    def get(self, kind: str, type_name: str) -> type[Any]:
        return COMPONENTS[kind][type_name]


BASE = """
receivers: {in: {version: RECEIVER}}
processors: {mark/a: {version: 1}, mark/b: {version: 2}}
exporters: {out: {version: EXPORTER, retry_on_failure: {initial_interval: 10ms}}}
connectors: {forward: }
extensions: {helper: }
service:
  extensions: [helper]
  drain_timeout: 5s
  telemetry: {metrics: {level: none}}
  pipelines:
    traces/in: {receivers: [in], processors: [mark/a], exporters: [forward]}
    traces/out: {receivers: [forward], processors: [mark/b], exporters: [out]}
"""


def settings(text: str = BASE, receiver: int = 0, exporter: int = 0, **changes: str) -> Settings:
    text = text.replace("RECEIVER", str(receiver)).replace("EXPORTER", str(exporter))
    for old, new in changes.items():
        text = text.replace(old, new)
    return load([f"yaml:{text}"], catalog=TestCatalog())


@pytest.fixture(autouse=True)
def _forget() -> None:
    EVENTS.clear()
    SENT.clear()
    Out.refusals = 0


def receiver_of(service: Service) -> In:
    receiver = service.graph.receivers[ComponentId("in")]
    assert isinstance(receiver, In)
    return receiver


def marks() -> list[Value]:
    return [record.attributes["marks"] for batch in SENT.get("out", []) for record in batch.records()]


async def running(configuration: Settings | None = None, reload: Any = None) -> Service:
    service = Service(configuration or settings(), reload)
    await service.start()
    return service


async def test_data_flows_through_both_pipelines_in_order() -> None:
    service = await running()
    batch = await receiver_of(service).send({})
    assert await batch.delivery.wait() is Outcome.DELIVERED
    assert marks() == ["12"]
    await service.stop()


async def test_everything_starts_before_what_feeds_it_and_stops_after() -> None:
    service = await running()
    await service.stop()
    starts = [event.removeprefix("start ") for event in EVENTS if event.startswith("start")]
    assert starts[0] == "helper"
    assert starts[-1] == "in"
    assert starts.index("out") < starts.index("mark/b") < starts.index("mark/a")
    stops = [event.removeprefix("stop ") for event in EVENTS if event.startswith("stop")]
    assert stops == ["in", "mark/a", "mark/b", "out", "helper"]
    assert EVENTS.index("ready") > EVENTS.index("start in")
    assert EVENTS.index("not ready") < EVENTS.index("stop in")


async def test_a_component_that_cannot_start_undoes_the_start() -> None:
    broken = settings(BASE.replace("in: {version: RECEIVER}", "in: {fail: true}"))
    service = Service(broken)
    with pytest.raises(StartError, match='failed to start "in"'):
        await service.start()
    assert {"stop out", "stop mark/a", "stop helper"} <= set(EVENTS)


async def test_a_component_that_does_not_stop_in_good_order_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    service = await running(settings(BASE.replace("out: {version: EXPORTER,", "out: {fails_to_stop: true,")))
    with caplog.at_level("ERROR", "penstock"):
        await service.stop()
    (record,) = [record for record in caplog.records if "did not stop" in record.message]
    assert record.fields["error"] == "ValueError"  # type: ignore[attr-defined]  # set by Log
    assert "stop helper" in EVENTS


async def test_stop_drains_while_the_backend_comes_back() -> None:
    service = await running()
    Out.refusals = 3
    batches = [await receiver_of(service).send({}) for _ in range(5)]
    await service.stop()
    assert [batch.delivery.outcome for batch in batches] == [Outcome.DELIVERED] * 5


async def test_a_branch_that_writes_does_not_disturb_its_sibling() -> None:
    text = BASE.replace(
        "traces/out:",
        "traces/plain: {receivers: [forward], exporters: [out/plain]}\n    traces/out:",
    ).replace("exporters: {out:", "exporters: {out/plain: , out:")
    service = await running(settings(text))
    await (await receiver_of(service).send({})).delivery.wait()
    assert marks() == ["12"]
    assert [record.attributes["marks"] for batch in SENT["out/plain"] for record in batch.records()] == ["1"]
    await service.stop()


async def test_a_pipeline_that_only_forwards_to_one_that_writes_does_not_disturb_its_sibling() -> None:
    text = BASE.replace("processors: [mark/a], ", "").replace(
        "traces/out:", "traces/plain: {receivers: [in], exporters: [out/plain]}\n    traces/out:"
    )
    service = await running(settings(text.replace("exporters: {out:", "exporters: {out/plain: , out:")))
    await (await receiver_of(service).send({})).delivery.wait()
    assert marks() == ["2"]
    assert [dict(record.attributes) for batch in SENT["out/plain"] for record in batch.records()] == [{}]
    await service.stop()


async def test_a_pipeline_that_is_stuck_does_not_cost_another_its_time_to_flush() -> None:
    text = BASE.replace("mark/b: {version: 2}", "hold/a: , hold/b: ").replace("mark/b", "hold/b")
    text = text.replace(
        "traces/out:", "traces/stuck: {receivers: [in/stuck], processors: [hold/a], exporters: [out]}\n    traces/out:"
    ).replace("receivers: {in:", "receivers: {in/stuck: , in:")
    text = (
        text.replace("traces/in:", "traces/1:")
        .replace("traces/stuck:", "traces/0:")
        .replace("drain_timeout: 5s", "drain_timeout: 200ms")
    )
    service = await running(settings(text))
    stuck = service.graph.receivers[ComponentId("in", "stuck")]
    assert isinstance(stuck, In)
    await stuck.send({"stuck": True})
    batch = await receiver_of(service).send({})
    await service.stop()
    assert batch.delivery.outcome is Outcome.DELIVERED


async def test_unused_components_are_not_built() -> None:
    text = BASE.replace("receivers: {in:", "receivers: {in/unused: , in:")
    service = await running(settings(text))
    assert list(map(str, service.graph.receivers)) == ["in"]
    await service.stop()


async def test_reload_keeps_unchanged_components_and_rebuilds_processors() -> None:
    service = await running()
    before = receiver_of(service)
    exporter = service.graph.exporters[ComponentId("out")]
    await service.change_to(settings(BASE.replace("mark/b: {version: 2}", "mark/b: {version: 7}")))
    assert receiver_of(service) is before
    assert service.graph.exporters[ComponentId("out")] is exporter
    await (await before.send({})).delivery.wait()
    assert marks() == ["17"]
    await service.stop()
    assert EVENTS.count("start in") == 1


async def test_reload_reconfigures_a_running_receiver_where_it_can() -> None:
    service = await running()
    before = receiver_of(service)
    await service.change_to(settings(receiver=3))
    assert receiver_of(service) is before
    assert "reconfigure in 3" in EVENTS
    await service.stop()


async def test_deliveries_under_way_end_on_the_old_set() -> None:
    service = await running()
    Out.refusals = 5
    batches = [await receiver_of(service).send({}) for _ in range(3)]
    await service.change_to(settings(exporter=1))
    batches.append(await receiver_of(service).send({}))
    for batch in batches:
        assert await batch.delivery.wait() is Outcome.DELIVERED
    await service.stop()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("exporters: {out: {version: EXPORTER", "exporters: {out: {fail: true"),
        ("in: {version: RECEIVER}", "in: {fail: true}"),
        ("mark/a: {version: 1}", "mark/a: {version: 5, fail: true}"),
    ],
)
async def test_a_reload_that_fails_leaves_the_old_set_running(old: str, new: str) -> None:
    service = await running()
    with pytest.raises(StartError):
        await service.change_to(settings(BASE.replace(old, new)))
    await (await receiver_of(service).send({})).delivery.wait()
    assert marks() == ["12"]
    await service.stop()


async def test_a_reload_that_fails_leaves_the_old_gauges_and_says_that_the_pipelines_are_ready() -> None:
    service = await running()
    failing = BASE.replace("helper: }", "helper: {version: 2}}").replace("in: {version: RECEIVER}", "in: {fail: true}")
    with pytest.raises(StartError):
        await service.change_to(settings(failing))
    gc.collect()
    labels = {"exporter": "out", "data_type": "traces"}
    assert service.telemetry.registry.collector.get_sample_value("otelcol_exporter_queue_size", labels) == 0
    assert EVENTS[-1] == "ready"
    await service.stop()


async def test_what_a_set_took_in_before_it_failed_is_delivered() -> None:
    text = BASE.replace("mark/b: {version: 2}", "hold/b: ").replace("mark/b", "hold/b")
    text = text.replace("receivers: {in:", "receivers: {in/new: {version: 9}, in:").replace("[in]", "[in/new, in]")
    service = await running()
    taken: list[Batch] = []
    start = In.start

    async def start_and_take(self: In) -> None:
        await start(self)
        taken.append(await self.send({}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(In, "start", start_and_take)
        changed = settings(text.replace(" in: {version: RECEIVER}", " in: {fail: true}"))
        with pytest.raises(StartError):
            await service.change_to(changed)
    assert taken[0].delivery.outcome is Outcome.DELIVERED
    await service.stop()


async def test_a_component_that_raises_when_built_fails_the_reload_only() -> None:
    service = await running(reload=lambda: settings(BASE.replace("mark/b: {version: 2}", "mark/b: {broken: true}")))
    assert not await service.reload()
    await (await receiver_of(service).send({})).delivery.wait()
    assert marks() == ["12"]
    await service.stop()


async def test_a_component_that_listens_is_stopped_once_for_its_successor() -> None:
    service = await running()
    await service.change_to(settings(BASE.replace("helper: }", "helper: {version: 2}}")))
    await asyncio.gather(*service._retired)
    assert EVENTS.count("stop helper") == 1
    await service.stop()


async def test_a_bad_file_on_reload_is_counted_and_changes_nothing() -> None:
    def reload() -> Settings:
        return settings(BASE.replace("exporters: [out]", "exporters: [missing]"))

    service = await running(reload=reload)
    assert not await service.reload()
    await (await receiver_of(service).send({})).delivery.wait()
    value = service.telemetry.registry.collector.get_sample_value
    assert value("penstock_config_reloads_total", {"outcome": "failure"}) == 1
    assert value("penstock_config_last_reload_successful") == 0
    service._reload = lambda: settings(BASE)
    assert await service.reload()
    assert value("penstock_config_last_reload_successful") == 1
    await service.stop()


async def test_warnings_of_the_configuration_are_logged_at_start_and_on_reload(
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = await running(settings(BASE + "  tenant_from: ['resource.x${env:PENSTOCK_TEST_UNSET}']\n"))
    await service.change_to(settings(BASE + "  tenant_from: ['resource.y${env:PENSTOCK_TEST_UNSET}']\n"))
    await service.stop()
    logged = capsys.readouterr().err
    assert logged.count('environment variable "PENSTOCK_TEST_UNSET" is not set') == 2
    assert '"position": "yaml::' in logged


async def test_intake_goes_on_during_reloads() -> None:
    service = await running()
    batches: list[Batch] = []
    stop = asyncio.Event()

    async def feed() -> None:
        while not stop.is_set():
            batches.append(await receiver_of(service).send({}))
            await asyncio.sleep(0)

    feeding = asyncio.create_task(feed())
    for version in range(5):
        await service.change_to(settings(receiver=version, exporter=version % 2))
        await asyncio.sleep(0.01)
    stop.set()
    await feeding
    await service.stop()
    assert len(batches) > 5
    assert {batch.delivery.outcome for batch in batches} == {Outcome.DELIVERED}
    assert len(marks()) == len(batches)


DEAD = BASE.replace(
    "exporters: {out: {", "exporters: {out/dead: {retry_on_failure: {initial_interval: 10ms}}, out: {"
).replace("version: EXPORTER", "rejects: true, dead_letter: out/dead")


async def test_dead_letters_go_to_an_exporter_that_no_pipeline_uses() -> None:
    service = await running(settings(DEAD))
    batch = await receiver_of(service).send({})
    assert await batch.delivery.wait() is Outcome.DELIVERED
    assert list(SENT) == ["out/dead"]
    await service.stop()
    assert {"start out/dead", "stop out/dead"} <= set(EVENTS)


async def test_a_stop_gives_dead_letters_time_behind_what_they_come_from() -> None:
    service = await running(settings(DEAD))
    Out.refusals = 3
    batches = [await receiver_of(service).send({}) for _ in range(5)]
    await service.stop()
    assert [batch.delivery.outcome for batch in batches] == [Outcome.DELIVERED] * 5
    assert len(SENT["out/dead"]) == 5


SOURCE = BASE.replace("receivers: {in:", "receivers: {source:").replace("receivers: [in]", "receivers: [source]")


async def test_a_receiver_that_commits_stops_behind_the_drain() -> None:
    service = await running(settings(SOURCE))
    Out.refusals = 1
    await service.graph.receivers[ComponentId("source")].send({})  # type: ignore[attr-defined]  # a Source
    await service.stop()
    assert EVENTS.index("take no more") < EVENTS.index("stop mark/a") < EVENTS.index("stopped when DELIVERED")


async def test_a_receiver_that_commits_and_is_gone_behind_a_reload_stops_behind_the_drain() -> None:
    service = await running(settings(SOURCE))
    Out.refusals = 1
    await service.graph.receivers[ComponentId("source")].send({})  # type: ignore[attr-defined]  # a Source
    await service.change_to(settings())
    await service.stop()
    assert EVENTS.index("take no more") < EVENTS.index("stopped when DELIVERED")
