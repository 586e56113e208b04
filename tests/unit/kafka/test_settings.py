"""The keys of every Kafka client, and what aiokafka is given for them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.errors import StartError
from pipeline.kafka.settings import KafkaClient, client_arguments
from pipeline.testing import make_host


def arguments(**keys: Any) -> dict[str, Any]:
    return client_arguments(KafkaClient(**keys), make_host("kafka"))


async def test_defaults() -> None:
    assert arguments() == {
        "bootstrap_servers": ["localhost:9092"],
        "client_id": "otel-collector",
        "metadata_max_age_ms": 600_000,
        "retry_backoff_ms": 250,
        "connections_max_idle_ms": 540_000,
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


async def test_brokers_and_names() -> None:
    found = arguments(brokers=["a:1", "[::1]:9092", "b"], client_id="penstock")
    assert found["bootstrap_servers"] == ["a:1", "[::1]:9092", "b"]
    assert found["client_id"] == "penstock"


async def test_an_empty_client_id_leaves_the_library_its_own() -> None:
    assert arguments(client_id="")["client_id"] is None


@pytest.mark.parametrize("address", ["", "a:", "a:0", "a:65536", "a:x", "http://a:9092", "a b:1", "a:1,b:2"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValidationError, match="write host:port"):
        KafkaClient(brokers=(address,))


def test_brokers_must_be_there() -> None:
    with pytest.raises(ValidationError, match="brokers must be specified"):
        KafkaClient(brokers=())


async def test_times() -> None:
    metadata = {"refresh_interval": "30s", "retry": {"backoff": "1s"}}
    found = client_arguments(
        KafkaClient.model_validate({"conn_idle_timeout": "1m", "metadata": metadata}), make_host("kafka")
    )
    assert found["connections_max_idle_ms"] == 60_000
    assert found["metadata_max_age_ms"] == 30_000
    assert found["retry_backoff_ms"] == 1_000


@pytest.mark.parametrize("version", ["", "0.10.2.0", "2.0.0", "3.9.1", "10.0.0"])
async def test_any_version_that_says_what_it_knows(version: str) -> None:
    assert arguments(protocol_version=version) == arguments()


@pytest.mark.parametrize(("version", "reason"), [("0.9.0.1", "too old"), ("2.0", "invalid"), ("v2.0.0", "invalid")])
def test_other_versions(version: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        KafkaClient(protocol_version=version)


async def test_keys_without_effect_change_nothing() -> None:
    found = arguments(use_leader_epoch=False, rack_id="zone-1", metadata={"full": False, "retry": {"max": 9}})
    assert found == arguments()


def test_what_is_refused() -> None:
    with pytest.raises(ValidationError, match="canonical names"):
        KafkaClient(resolve_canonical_bootstrap_servers_only=True)
    with pytest.raises(ValidationError, match="Kerberos needs libraries"):
        KafkaClient.model_validate({"auth": {"kerberos": {"realm": "R"}}})


@pytest.mark.parametrize("library", ["aiokafka", "xxhash"])
async def test_without_a_library(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(StartError, match=r'^kafka: Kafka needs a library: pip install "penstock\[kafka\]"$'):
        arguments()
