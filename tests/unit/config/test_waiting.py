"""Clients that wait for delivery in front of what holds data for long."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import ConfigModel
from pipeline.config.ids import ComponentId
from pipeline.config.report import rows
from tests.unit.config.fakes import (
    Actions,
    Component,
    Examiner,
    FakeCatalog,
    Forward,
    Loader,
    OtlpReceiver,
    Problems,
    ReceiverConfig,
)


class Config(ReceiverConfig):
    acknowledge: str = "accepted"


class Receiver(OtlpReceiver):
    Config = Config

    @classmethod
    def awaits_delivery(cls, config: Any) -> str:
        return "acknowledge" if config.acknowledge == "delivered" else ""


class HolderConfig(ConfigModel):
    is_long: bool = True


class Holder(Component):
    type = "holder"
    Config = HolderConfig

    @classmethod
    def holds_for_long(cls, config: Any) -> str:
        return "keeps all until evening" if config.is_long else ""


class Joins(Forward):
    forwards = True


class Catalog(FakeCatalog):
    def get(self, kind: str, type_name: str) -> type[Any]:
        ours: dict[str, type[Any]] = {"otlp": Receiver, "holder": Holder, "actions": Actions, "forward": Joins}
        return ours[type_name] if kind != "exporters" and type_name in ours else super().get(kind, type_name)


@pytest.fixture
def catalog() -> FakeCatalog:
    return Catalog()


HEAD = """
receivers:
  otlp:
    protocols: {grpc: }
    acknowledge: delivered
  otlp/fast: {protocols: {grpc: }}
processors: {holder: {}, holder/brief: {is_long: false}, actions: {}}
connectors: {forward: {}, forward/2: {}, count: {}}
exporters: {debug: {}}
"""
FAST = "receivers: [otlp/fast], processors: [holder], exporters: [debug]"


def text(**pipelines: str) -> str:
    lines = "".join(f"    {name.replace('__', '/')}: {{{parts}}}\n" for name, parts in pipelines.items())
    return f"{HEAD}service:\n  pipelines:\n{lines}"


def test_waiting_for_what_is_held_is_refused_where_it_is_asked_for(problems_of: Problems) -> None:
    (problem,) = problems_of(text(traces="receivers: [otlp], processors: [actions, holder], exporters: [debug]"))
    assert problem == (
        '5:5: receivers::otlp::acknowledge: clients of "otlp" would wait for "holder", which keeps all until evening; '
        "they would time out and send all of it again. Put Kafka in front: this receiver and acknowledge: delivered in "
        'a process that writes to a topic, and "holder" behind a kafka receiver; or leave acknowledge out, and what '
        "waits is lost with the process"
    )


@pytest.mark.parametrize(
    "pipelines",
    [
        {"traces": "receivers: [otlp], processors: [holder/brief], exporters: [debug]", "traces__fast": FAST},
        {
            "traces": "receivers: [otlp], exporters: [count]",
            "metrics": "receivers: [count], processors: [holder], exporters: [debug]",
        },
        {
            "traces": "receivers: [otlp], exporters: [debug]",
            "traces__a": "receivers: [otlp/fast], exporters: [forward]",
            "traces__b": "receivers: [forward], processors: [holder], exporters: [debug]",
        },
    ],
)
def test_nobody_waits(pipelines: dict[str, str], load_text: Loader) -> None:
    assert ComponentId("otlp") in load_text(text(**pipelines)).receivers


def test_waiting_is_found_behind_connectors(problems_of: Problems) -> None:
    found = problems_of(
        text(
            traces="receivers: [otlp], exporters: [forward]",
            traces__2="receivers: [forward, otlp/fast], exporters: [forward/2]",
            traces__3="receivers: [forward/2], processors: [holder], exporters: [debug]",
        )
    )
    assert [problem.partition(", ")[0] for problem in found] == [
        '5:5: receivers::otlp::acknowledge: clients of "otlp" would wait for "holder"'
    ]


def test_validate_refuses_the_key(examine_text: Examiner) -> None:
    examination = examine_text(text(traces="receivers: [otlp], processors: [holder], exporters: [debug]"))
    (row,) = [row for row in rows(examination) if "acknowledge" in str(row)]
    assert "refused" in str(row)
