"""Logging in to a real Kafka broker: every mechanism, TLS, mutual TLS, and what is said when it does not work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.component import Extension, Host
from pipeline.config import ComponentId
from pipeline.errors import Refused
from pipeline.extensions.bearertokenauth import BearerTokenAuth
from pipeline.kafka.command.dead_letter import dead_letter
from pipeline.kafka.connecting import connected
from pipeline.kafka.errors import delivery_error
from pipeline.kafka.settings import KafkaClient, client_arguments
from pipeline.testing import configured, make_host
from tests.servers.kafka.secured import NAME, PASSWORD, STRANGER, USER, Secured, secured_broker, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as running:
        yield running


def login(mechanism: str, user: str = USER, password: str = PASSWORD) -> dict[str, Any]:
    return {"auth": {"sasl": {"mechanism": mechanism, "username": user, "password": password}}}


OLD_FORM: dict[str, Any] = {"auth": {"plain_text": {"username": USER, "password": PASSWORD}}}
TOKENS: dict[str, Any] = {"auth": {"sasl": {"mechanism": "OAUTHBEARER", "oauthbearer_token_source": "bearertokenauth"}}}


def tls(secured: Secured, **more: Any) -> dict[str, Any]:
    return {"tls": {"ca_file": str(secured.ca), **more}}


def own_certificate(secured: Secured) -> dict[str, str]:
    return {"cert_file": str(secured.cert), "key_file": str(secured.key)}


def arguments(secured: Secured, listener: str, keys: dict[str, Any], extension: Extension | None = None) -> Any:
    extensions = {} if extension is None else {ComponentId("bearertokenauth"): extension}
    host: Host = make_host("kafka", extensions=extensions)
    config = KafkaClient.model_validate({"brokers": [secured.broker.address(listener)], **keys})
    return client_arguments(config, host)


@asynccontextmanager
async def client(kind: str, given: dict[str, Any], *topics: str, **more: Any) -> AsyncIterator[Any]:
    """A started producer or consumer; fails with the first reason for which it cannot start."""
    import aiokafka

    def fail(error: Exception) -> None:
        raise error

    started = await connected(lambda: getattr(aiokafka, kind)(*topics, **given, **more), given, fail)
    try:
        yield started
    finally:
        await started.stop()


async def there_and_back(given: dict[str, Any], topic: str) -> bytes:
    """A record written and read with the same arguments."""
    async with client("AIOKafkaProducer", given, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"value")
    reading = {"group_id": f"group-{topic}", "auto_offset_reset": "earliest"}
    async with client("AIOKafkaConsumer", given, topic, **reading) as consumer, asyncio.timeout(60):
        record = await consumer.getone()
    return bytes(record.value)


@pytest.mark.parametrize(
    ("name", "listener", "keys"),
    [
        ("plain", "SASL", login("PLAIN")),
        ("plain-old-form", "SASL", OLD_FORM),
        ("scram-256", "SASL", login("SCRAM-SHA-256")),
        ("scram-512", "SASL", login("SCRAM-SHA-512")),
    ],
)
async def test_users_with_passwords(secured: Secured, name: str, listener: str, keys: dict[str, Any]) -> None:
    assert await there_and_back(arguments(secured, listener, keys), name) == b"value"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_users_with_passwords_behind_tls(secured: Secured, mechanism: str) -> None:
    given = arguments(secured, "SASLTLS", {**tls(secured), **login(mechanism)})
    assert await there_and_back(given, f"tls-{mechanism}") == b"value"


@pytest.mark.parametrize("listener", ["SASL", "SASLTLS"])
async def test_tokens(secured: Secured, listener: str) -> None:
    extension: BearerTokenAuth = configured(BearerTokenAuth, token=token())
    keys = {**TOKENS, **(tls(secured) if listener == "SASLTLS" else {})}
    assert await there_and_back(arguments(secured, listener, keys, extension), f"tokens-{listener}") == b"value"


async def test_the_command_for_dead_letters_logs_in_as_its_configuration_does(
    secured: Secured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await there_and_back(arguments(secured, "SASL", login("PLAIN")), "dead-letters") == b"value"
    receiver = {"brokers": [secured.broker.address("SASL")], "dead_letter": {"topic": "dead-letters"}, **TOKENS}
    config = {
        "extensions": {"bearertokenauth": {"token": token()}},
        "receivers": {"kafka": receiver},
        "exporters": {"nop": {}},
        "service": {
            "extensions": ["bearertokenauth"],
            "pipelines": {"traces": {"receivers": ["kafka"], "exporters": ["nop"]}},
        },
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert await asyncio.to_thread(dead_letter, ["list", "--config", str(file)]) == 0
    assert capsys.readouterr().err == "1 records in between are no dead letters\n"


async def test_a_token_in_a_file_that_is_renewed(secured: Secured, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("expired", encoding="ascii")
    extension: BearerTokenAuth = configured(BearerTokenAuth, filename=str(file))
    await extension.start()
    given = arguments(secured, "SASL", TOKENS, extension)
    with pytest.raises(Refused, match="does not accept our login"):
        await there_and_back(given, "renewed")
    file.write_text(token(), encoding="ascii")
    await extension._refresh()  # what its watch does every second
    assert await there_and_back(given, "renewed") == b"value"
    await extension.stop()


async def test_tls_alone(secured: Secured) -> None:
    assert await there_and_back(arguments(secured, "TLS", tls(secured)), "tls") == b"value"
    named = arguments(secured, "TLS", tls(secured, server_name_override=NAME))
    assert await there_and_back(named, "tls") == b"value"
    old_place = {"auth": tls(secured)}
    assert await there_and_back(arguments(secured, "TLS", old_place), "tls-old-place") == b"value"


async def test_mutual_tls(secured: Secured) -> None:
    given = arguments(secured, "MUTUAL", tls(secured, **own_certificate(secured)))
    assert await there_and_back(given, "mutual") == b"value"


@pytest.mark.parametrize(
    ("listener", "keys", "reason"),
    [
        ("SASL", login("PLAIN", password="wrong"), "the broker does not accept our login; look at auth::sasl"),
        ("SASL", login("SCRAM-SHA-512", password="wrong"), "the broker does not accept our login"),
        ("SASL", login("SCRAM-SHA-256", user="nobody"), "the broker does not accept our login"),
        ("SASL", {}, "the broker closes the connection; does it want TLS, a certificate or a login"),
        ("PLAINTEXT", login("PLAIN"), "the broker wants no login at this port"),
        ("TLS", {}, "the broker closes the connection; does it want TLS"),
        ("TLS", {"tls": {}}, r"the broker's certificate does not verify \(unable to get local issuer certificate\)"),
    ],
)
async def test_why_it_does_not_work(secured: Secured, listener: str, keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        await there_and_back(arguments(secured, listener, keys), "never")


async def test_why_tls_does_not_work(secured: Secured) -> None:
    for listener, more, reason in (
        ("TLS", {"server_name_override": "other.example"}, "Hostname mismatch"),
        ("MUTUAL", {}, "the broker closes the connection; does it want TLS, a certificate"),
        ("PLAINTEXT", {}, "kafka: "),
    ):
        with pytest.raises(Refused, match=reason):
            await there_and_back(arguments(secured, listener, tls(secured, **more)), "never")


async def test_what_we_are_not_allowed_to_do(secured: Secured) -> None:
    given = arguments(secured, "SASL", login("SCRAM-SHA-256", user=STRANGER))
    async with client("AIOKafkaProducer", given) as producer:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - what is meant is asked below
            await producer.send_and_wait("forbidden", b"value")
    error = delivery_error(caught.value, topic="forbidden")
    assert type(error) is Refused
    assert str(error) == 'kafka: topic "forbidden": we are not allowed to use the topic; grant our user access to it'
