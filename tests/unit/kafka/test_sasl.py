"""Who we are to the brokers, in the arguments of the client."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.component import Host
from pipeline.config import ComponentId
from pipeline.errors import StartError
from pipeline.extensions.bearertokenauth import BearerTokenAuth
from pipeline.extensions.health_check import HealthCheck
from pipeline.kafka.sasl import KafkaAuth, login
from pipeline.kafka.settings import KafkaClient, client_arguments
from pipeline.testing import configured, make_host

TOKENS = {"mechanism": "OAUTHBEARER", "oauthbearer_token_source": "bearertokenauth"}


def auth(**sasl: Any) -> KafkaAuth:
    return KafkaAuth.model_validate({"sasl": sasl})


def host(**extensions: Any) -> Host:
    return make_host("kafka", extensions={ComponentId.parse(name): value for name, value in extensions.items()})


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_users_with_passwords(mechanism: str) -> None:
    assert login(auth(mechanism=mechanism, username="alice", password="open sesame"), host()) == {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "alice",
        "sasl_plain_password": "open sesame",
    }


def test_the_old_form_is_plain() -> None:
    old = KafkaAuth.model_validate({"plain_text": {"username": "alice", "password": "open sesame"}})
    assert login(old, host()) == login(auth(mechanism="PLAIN", username="alice", password="open sesame"), host())


def test_nobody() -> None:
    assert login(KafkaAuth(), host()) == {}


@pytest.mark.parametrize("version", [0, 1])
def test_the_handshake_version_changes_nothing(version: int) -> None:
    keys = {"mechanism": "PLAIN", "username": "a", "password": "b"}
    assert login(auth(**keys, version=version), host()) == login(auth(**keys), host())


@pytest.mark.parametrize(
    ("sasl", "reason"),
    [
        ({"mechanism": "PLAIN", "password": "b"}, "username is required"),
        ({"mechanism": "SCRAM-SHA-256", "username": "a"}, "password is required"),
        ({"username": "a", "password": "b"}, "Field required"),
        ({"mechanism": "GSSAPI", "username": "a", "password": "b"}, "Input should be"),
        ({"mechanism": "PLAIN", "username": "a", "password": "b", "version": 2}, "Input should be"),
        ({"mechanism": "OAUTHBEARER"}, "needs a token source"),
        ({**TOKENS, "mechanism": "PLAIN", "username": "a", "password": "b"}, "and only it, needs a token source"),
        ({"mechanism": "AWS_MSK_IAM_OAUTHBEARER"}, "signing with AWS credentials is not supported"),
        (
            {"mechanism": "PLAIN", "username": "a", "password": "b", "aws_msk": {"region": "eu-west-1"}},
            "signing with AWS credentials is not supported",
        ),
    ],
)
def test_what_is_no_login(sasl: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        auth(**sasl)


def test_two_logins() -> None:
    with pytest.raises(ValidationError, match="sasl or plain_text, not both"):
        KafkaAuth.model_validate({"sasl": TOKENS, "plain_text": {}})


async def test_tokens_of_an_extension() -> None:
    arguments = login(auth(**TOKENS), host(bearertokenauth=configured(BearerTokenAuth, token="t1")))
    assert arguments["sasl_mechanism"] == "OAUTHBEARER"
    assert await arguments["sasl_oauth_token_provider"].token() == "t1"


async def test_tokens_for_a_client_on_another_loop() -> None:
    provider = login(auth(**TOKENS), host(bearertokenauth=configured(BearerTokenAuth, token="t1", scheme="")))[
        "sasl_oauth_token_provider"
    ]
    with ThreadPoolExecutor(1) as other:
        token = await asyncio.wrap_future(other.submit(lambda: asyncio.run(provider.token())))
    assert token == "t1"


async def test_an_extension_without_tokens() -> None:
    source = {**TOKENS, "oauthbearer_token_source": "health_check"}
    with pytest.raises(StartError, match="is not a client authenticator"):
        login(auth(**source), host(health_check=configured(HealthCheck)))
    with pytest.raises(StartError, match="is not started"):
        login(auth(**source), host())


@pytest.mark.parametrize(
    ("tls", "sasl", "protocol"),
    [
        (False, False, "PLAINTEXT"),
        (True, False, "SSL"),
        (False, True, "SASL_PLAINTEXT"),
        (True, True, "SASL_SSL"),
    ],
)
async def test_protocols(tls: bool, sasl: bool, protocol: str) -> None:
    keys: dict[str, Any] = {"tls": {}} if tls else {}
    if sasl:
        keys["auth"] = {"sasl": {"mechanism": "PLAIN", "username": "a", "password": "b"}}
    assert client_arguments(KafkaClient(**keys), host())["security_protocol"] == protocol


def test_passwords_are_not_shown() -> None:
    assert "open sesame" not in repr(auth(mechanism="PLAIN", username="alice", password="open sesame"))
