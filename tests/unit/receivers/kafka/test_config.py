"""Keys of the kafka receiver: what is accepted, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.receivers.kafka.config import KafkaReceiverConfig
from pipeline.receivers.kafka.receiver import _patience
from pipeline.receivers.kafka.topics import Topics
from pipeline.signals import Signal


def config(**keys: Any) -> KafkaReceiverConfig:
    return KafkaReceiverConfig(**keys)


def test_defaults_are_the_collectors() -> None:
    plain = config()
    assert [plain.topics_of(signal) for signal in Signal] == [("otlp_spans",), ("otlp_metrics",), ("otlp_logs",)]
    assert {plain.encoding_of(signal) for signal in Signal} == {"otlp_proto"}
    assert (plain.group_id, plain.initial_offset, plain.strategies) == (
        "otel-collector",
        "latest",
        ("cooperative-sticky",),
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"traces": {"topics": ("a",), "topic": "b"}}, "both traces.topic and traces.topics cannot be set"),
        ({"logs": {"exclude_topics": ("a",)}}, r"must start with '\^'"),
        ({"logs": {"topics": ("a",), "exclude_topic": "a"}}, "logs.exclude_topic is configured but none"),
        ({"traces": {"topics": ("^(a",)}}, "not a regular expression of RE2"),
        ({"traces": {"encoding": "zipkin_json"}}, "not in this release"),
        ({"traces": {"encoding": "text"}}, "unknown traces encoding"),
        ({"encoding": "nonsense"}, "unknown traces encoding"),
        ({"max_fetch_size": 10, "min_fetch_size": 100}, r"max_fetch_size \(10\) cannot be less than min_fetch_size"),
        ({"session_timeout": 3.0, "heartbeat_interval": 3.0}, "below session_timeout"),
        ({"group_rebalance_strategy": "bla"}, "cooperative-sticky"),
        ({"group_rebalance_strategy": "range", "group_rebalance_strategies": ("range",)}, "cannot both be set"),
        ({"initial_offset": "middle"}, "latest"),
        ({"traces": {"topics": ("a",)}, "logs": {"topics": ("a",)}}, 'topic "a" stands under traces and logs'),
        ({"profiles": {"topics": ["a"]}}, "profiles are no signal"),
        ({"telemetry": {"metrics": {"kafka_receiver_records_delay": {"enabled": True}}}}, "service::telemetry"),
        ({"dead_letter": {"topic": ""}}, "at least 1"),
        ({"dead_letter": {"topic": "dead letters"}}, "the name of the topic is not allowed"),
        ({"traces": {"topics": ("otlp_spans", "my spans")}}, "the name of the topic is not allowed"),
        ({"logs": {"topic": ".."}}, "the name of the topic is not allowed"),
        ({"topic": "a/b"}, "the name of the topic is not allowed"),
        ({"topic": "^(a"}, "not a regular expression of RE2"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**keys)


def test_old_forms() -> None:
    old = config(topic="all", encoding="text", traces={"topic": "spans", "encoding": "otlp_json"})
    assert old.topics_of(Signal.TRACES) == ("spans",)
    assert old.topics_of(Signal.LOGS) == ("all",)
    assert [old.encoding_of(signal) for signal in (Signal.TRACES, Signal.LOGS)] == ["otlp_json", "text"]
    expressions = Topics(config(logs={"topic": "^logs", "exclude_topic": "old"}), [Signal.LOGS])
    assert expressions.among(["logs-new", "logs-old"]) == {"logs-new"}


def test_which_signal_a_topic_holds() -> None:
    topics = Topics(
        config(
            traces={"topics": ("^otlp-", "exact"), "exclude_topics": ("private$",)},
            logs={"topics": ("otlp-logs",)},
        ),
        [Signal.LOGS, Signal.TRACES],
    )
    expected = {
        "otlp-a": Signal.TRACES,
        "otlp-logs": Signal.LOGS,
        "exact": Signal.TRACES,
        "otlp-private": None,
        "x-otlp-a": None,
        "__consumer_offsets": None,
    }
    assert {topic: topics.signal_of(topic) for topic in expected} == expected
    assert topics.among(expected) == {"otlp-a", "otlp-logs", "exact"}
    assert topics.missing(["otlp-a", "exact"]) == {"otlp-logs"}
    assert topics.missing(["otlp-private", "exact"]) == {"otlp-logs", "^otlp-"}


def test_only_signals_in_use_are_read() -> None:
    assert Topics(config(), [Signal.LOGS]).among(["otlp_spans", "otlp_logs"]) == {"otlp_logs"}


def test_how_long_refused_data_is_offered() -> None:
    endless = _patience(config())
    assert endless is not None
    assert (endless.initial_interval, endless.max_elapsed_time) == (0.1, 0.0)
    slow = {"enabled": True, "initial_interval": 2.0, "max_elapsed_time": 60.0}
    own = _patience(config(error_backoff=slow))
    assert own is not None
    assert (own.initial_interval, own.max_elapsed_time) == (2.0, 0.0)
    assert _patience(config(message_marking={"on_error": True})) is None
    ending = _patience(config(error_backoff=slow, message_marking={"on_error": True}))
    assert ending is not None
    assert ending.max_elapsed_time == 60.0


def test_dead_letters_never_come_in_again() -> None:
    for topic in ("spans", "otlp_logs"):
        with pytest.raises(ValidationError, match="would go round for ever"):
            config(traces={"topics": ("spans",)}, dead_letter={"topic": topic})
    expression = config(traces={"topics": ("^spans",)}, dead_letter={"topic": "spans_dead"})
    assert Topics(expression, [Signal.TRACES]).among(["spans", "spans_dead"]) == {"spans"}
