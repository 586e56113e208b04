"""Which topics hold the dead letters of a configuration."""

from __future__ import annotations

import re

import pytest

from pipeline.config import load
from pipeline.config.settings import Settings
from pipeline.errors import PenstockError
from pipeline.kafka.command.configured import cluster_at, cluster_of

TEXT = """
receivers:
  kafka: {brokers: [in:9092], RECEIVER}
  otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}
exporters:
  otlp_grpc: {endpoint: "a:4317", EXPORTER}
  kafka/out: {brokers: [out:9092], traces: {topic: spans}}
  kafka/dead: {brokers: [dead:9092], topic: dead, logs: {topic: dead_logs}}
service:
  pipelines:
    traces: {receivers: [kafka], exporters: [otlp_grpc, kafka/out]}
    logs: {receivers: [otlp], exporters: [otlp_grpc]}
"""
RECEIVER, EXPORTER = "dead_letter: {topic: poison}", "dead_letter: kafka/dead"


def settings(receiver: str = "", exporter: str = "") -> Settings:
    return load(["yaml:" + TEXT.replace(", RECEIVER", f", {receiver}" if receiver else "").replace(
        ", EXPORTER", f", {exporter}" if exporter else "")])  # fmt: skip


def test_the_topic_of_the_only_receiver_that_has_one() -> None:
    found = cluster_of(settings(RECEIVER), None, [])
    assert (found.client.brokers, found.topics) == (("in:9092",), ("poison",))


def test_the_topics_of_the_exporter_that_others_name_for_the_signals_they_send() -> None:
    found = cluster_of(settings(exporter=EXPORTER), None, [])
    assert (found.client.brokers, found.topics) == (("dead:9092",), ("dead", "dead_logs"))


def test_one_of_several_is_named() -> None:
    both = settings(RECEIVER, EXPORTER)
    with pytest.raises(PenstockError, match=re.escape("receivers::kafka, exporters::kafka/dead")):
        cluster_of(both, None, [])
    assert cluster_of(both, "kafka/dead", []).topics == ("dead", "dead_logs")
    assert cluster_of(both, "receivers::kafka", []).topics == ("poison",)


def test_a_named_topic_is_read_in_place_of_the_components_own() -> None:
    assert cluster_of(settings(), "kafka/out", ["other"]).topics == ("other",)
    with pytest.raises(PenstockError, match="exporters::kafka/out has no dead-letter topic; name one with --topic"):
        cluster_of(settings(), "kafka/out", [])


@pytest.mark.parametrize("component", [None, "otlp_grpc", "kafka/none"])
def test_nothing_to_read(component: str | None) -> None:
    with pytest.raises(PenstockError, match="dead_letter::topic" if component is None else f'exporter "{component}"'):
        cluster_of(settings(), component, [])


def test_brokers_alone() -> None:
    assert cluster_at(["a:1", "b:2"], ["t"]).client.brokers == ("a:1", "b:2")
    with pytest.raises(PenstockError, match="needs --topic"):
        cluster_at(["a:1"], [])
    with pytest.raises(PenstockError, match='"a b" is no address of a broker'):
        cluster_at(["a b"], ["t"])


def test_extensions_that_give_tokens_come_with_the_client() -> None:
    login = "auth: {sasl: {mechanism: OAUTHBEARER, oauthbearer_token_source: bearertokenauth}}, "
    text = TEXT.replace(", RECEIVER", f", {login}{RECEIVER}").replace(", EXPORTER", "")
    extension = "extensions: {bearertokenauth: {token: t}, health_check: }\n"
    service = "service:\n  extensions: [bearertokenauth, health_check]\n"
    loaded = load(["yaml:" + extension + text.replace("service:\n", service)])
    assert [str(each.id) for each in cluster_of(loaded, None, []).extensions] == ["bearertokenauth"]
