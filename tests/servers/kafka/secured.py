"""A broker that wants to know who comes: listeners with SASL, TLS, both, and mutual TLS."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.servers.kafka.broker import Broker, broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "alice", "open sesame"
"""Alice may do everything, by any mechanism."""
STRANGER = "bob"
"""Logs in by SCRAM with the same password, and may do nothing."""
NAME = "kafka.example"
"""A name in the broker's certificate, beside its address."""
_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Secured:
    """The running broker and what a client needs for it."""

    broker: Broker
    ca: Path
    """Who signed the broker's certificate, and whom it trusts."""
    cert: Path
    """A client's certificate."""
    key: Path


def token(subject: str = USER) -> str:
    """An unsecured JSON web token (RFC 7519), which brokers accept in tests alone."""
    now = int(time.time())
    parts = {"alg": "none"}, {"sub": subject, "iat": now, "exp": now + 3600}
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@contextlib.contextmanager
def secured_broker(folder: Path, *, login_ms: int = 0) -> Iterator[Secured]:
    """A broker with the listeners SASL, SASLTLS, TLS and MUTUAL.

    After `login_ms` (0: never) a connection on SASL or SASLTLS has to log in again, or is closed (KIP-368).
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    ca, cert, key = (folder / name for name in ("ca.pem", "client.pem", "client.key"))
    authority.cert_pem.write_to_path(str(ca))
    client = authority.issue_cert("penstock.example")
    client.cert_chain_pems[0].write_to_path(str(cert))
    client.private_key_pem.write_to_path(str(key))
    keystore = folder / "broker.pem"
    own = authority.issue_cert("127.0.0.1", NAME)
    keystore.write_bytes(_pkcs8(own.private_key_pem.bytes()) + b"".join(pem.bytes() for pem in own.cert_chain_pems))
    listeners = {"SASL": "SASL_PLAINTEXT", "SASLTLS": "SASL_SSL", "TLS": "SSL", "MUTUAL": "SSL"}
    scram = [
        f"{mechanism}=[name={user},password={PASSWORD}]"
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for user in (USER, STRANGER)
    ]
    with broker(
        folder / "broker", listeners=listeners, properties=_properties(ca, keystore, login_ms), scram=scram
    ) as running:
        yield Secured(running, ca, cert, key)


def _pkcs8(pem: bytes) -> bytes:
    """The form in which Kafka reads keys."""
    key = load_pem_private_key(pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _properties(ca: Path, keystore: Path, login_ms: int) -> dict[str, str]:
    anonymous = "User:ANONYMOUS;User:CN=penstock.example"
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^.*$/client/",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"{anonymous};User:{USER};User:client",
    }
    for listener in ("sasl", "sasltls"):
        prefix = f"listener.name.{listener}"
        properties |= {
            f"{prefix}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            f"{prefix}.plain.sasl.jaas.config": f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            f"{prefix}.scram-sha-256.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
            f"{prefix}.scram-sha-512.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
            f"{prefix}.oauthbearer.sasl.jaas.config": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";',
        }
        for mechanism in ("plain", "scram-sha-256", "scram-sha-512", "oauthbearer"):
            properties[f"{prefix}.{mechanism}.connections.max.reauth.ms"] = str(login_ms)
    return properties
