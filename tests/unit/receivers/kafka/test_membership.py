"""What the client library is told."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.receivers.kafka import KafkaReceiver
from pipeline.receivers.kafka.receiver import _assembler
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.testing.host import make_host


def receiver(**keys: Any) -> KafkaReceiver:
    return KafkaReceiver(KafkaReceiver.Config(**keys), make_host("kafka", kind=Kind.RECEIVER))


def arguments(**keys: Any) -> dict[str, Any]:
    return dict(receiver(**keys)._membership({}).arguments)


def test_what_is_set_reaches_the_client() -> None:
    found = arguments(
        group_id="g",
        session_timeout=20.0,
        heartbeat_interval=4.0,
        min_fetch_size=7,
        max_fetch_size=70,
        max_fetch_wait=0.07,
        max_partition_fetch_size=77,
        group_rebalance_strategy="roundrobin",
    )
    wanted = {
        "group_id": "g",
        "group_instance_id": None,
        "enable_auto_commit": False,
        "session_timeout_ms": 20_000,
        "heartbeat_interval_ms": 4_000,
        "fetch_min_bytes": 7,
        "fetch_max_bytes": 70,
        "fetch_max_wait_ms": 70,
        "max_partition_fetch_bytes": 77,
    }
    assert {name: found[name] for name in wanted} == wanted
    assert [each.name for each in found["partition_assignment_strategy"]] == ["roundrobin"]


def test_a_rebalance_lasts_no_longer_than_a_request() -> None:
    for session_s in (10.0, 120.0):
        found = arguments(session_timeout=session_s)
        assert found["session_timeout_ms"] <= found["rebalance_timeout_ms"] < found["request_timeout_ms"]


def test_strategies_that_the_library_lacks_are_the_nearest() -> None:
    found = arguments(group_rebalance_strategies=("cooperative-sticky", "range", "sticky"))
    first = found["partition_assignment_strategy"]
    assert [each.name for each in first] == ["sticky", "range"]
    second = arguments()["partition_assignment_strategy"]
    assert first[0] is not second[0], "members keep in the class what they had"


def test_headers_are_extracted_where_that_is_asked_for() -> None:
    host = make_host("kafka", kind=Kind.RECEIVER)
    for wanted in (True, False):
        config = KafkaReceiver.Config(header_extraction={"extract_headers": wanted, "headers": ("a",)})
        assert _assembler(config, host, Signal.TRACES).attribute_headers == (("a",) if wanted else ())


@pytest.mark.parametrize(
    ("keys", "warns"),
    [
        ({"message_marking": {"on_permanent_error": False}}, True),
        ({"message_marking": {"on_permanent_error": False}, "dead_letter": {"topic": "letters"}}, False),
        ({"message_marking": {"on_permanent_error": True}}, False),
        ({}, False),
    ],
)
def test_a_poison_record_is_kept_or_lost_but_blocks_nothing(
    keys: dict[str, Any], warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What the Collector prints as its default is taken, too."""
    receiver(**keys)._warn()
    assert any("Set dead_letter::topic" in record.message for record in caplog.records) is warns


async def test_a_reload_changes_what_does_not_concern_the_group() -> None:
    made = receiver()
    config = KafkaReceiver.Config(max_join_bytes=5, max_unresolved_bytes=7, message_marking={"on_error": True})
    assert await made.reconfigure(config)
    assert (made._around.max_join_bytes, made._in_flight.limit_bytes, made._around.retry) == (5, 7, None)
    assert not await made.reconfigure(KafkaReceiver.Config(group_id="other"))
    assert not await made.reconfigure(KafkaReceiver.Config(traces={"topics": ("other",)}))
