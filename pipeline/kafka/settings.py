"""Keys that the Kafka receiver and exporter share, and the keyword arguments of aiokafka's clients made of them."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from pipeline.component import Host
from pipeline.config import ConfigModel, Duration, refused
from pipeline.errors import StartError
from pipeline.kafka.logs import calm
from pipeline.kafka.sasl import KafkaAuth, login
from pipeline.kafka.tls import KafkaTls, broker_context
from pipeline.transport.client_tls import ClientTls

_VERSION: Final = re.compile(r"0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+")
_FIRST_NEGOTIATING: Final = (0, 10)
"""Brokers since 0.10 say which requests they know (KIP-35)."""
_HOST_AND_PORT: Final = re.compile(r"(\[[^\]]+\]|[^:\[\]/\s]+)(:(\d{1,5}))?")


def _check_broker(address: str) -> str:
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError(f'"{address}" is no address of a broker; write host:port, for example localhost:9092')
    return address


def _check_brokers(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("brokers must be specified")
    return addresses


def _check_version(version: str) -> str:
    if not version:
        return version
    if not _VERSION.fullmatch(version):
        raise ValueError(f'invalid protocol version "{version}"; write for example 2.0.0')
    if tuple(int(part) for part in version.split(".")[:2]) < _FIRST_NEGOTIATING:
        raise ValueError(f"brokers of version {version} are too old; 0.10.0.0 is the first that works")
    return version


class MetadataRetry(ConfigModel):
    """How metadata is asked for again."""

    max: int = Field(3, ge=0, description="No effect, as in the Collector: it is asked for until it is there.")
    backoff: Duration = Field(0.25, gt=0, description="Pause before a request of metadata, or any other, is repeated.")


class KafkaMetadata(ConfigModel):
    """What the client knows of the cluster."""

    full: bool = Field(True, description="No effect, as in the Collector: what is used is known.")
    refresh_interval: Duration = Field(600.0, gt=0, description="Age at which topics and leaders are looked up again.")
    retry: MetadataRetry = Field(default_factory=MetadataRetry, description="How it is asked for again.")


class KafkaClient(ConfigModel):
    """The keys of every client of a Kafka cluster."""

    brokers: Annotated[tuple[Annotated[str, AfterValidator(_check_broker)], ...], AfterValidator(_check_brokers)] = (
        Field(("localhost:9092",), description="Addresses of some brokers, host:port; they name the others.")
    )
    protocol_version: Annotated[str, AfterValidator(_check_version)] = Field(
        "", description="No effect: each broker says what it understands. Brokers since 0.10 work."
    )
    resolve_canonical_bootstrap_servers_only: bool = refused(
        "addresses are used as they stand; give the brokers' canonical names", accept=(False,), default=False
    )
    client_id: str = Field("otel-collector", description="Name that brokers see in their logs and quotas.")
    rack_id: str = Field(
        "",
        description="Where this client stands: a receiver reads from replicas nearby; an exporter writes to leaders.",
    )
    use_leader_epoch: bool = Field(
        True, description="No effect: the client does not compare leader epochs, as the Collector with false."
    )
    conn_idle_timeout: Duration = Field(540.0, gt=0, description="Age at which an unused connection is closed.")
    tls: KafkaTls | None = Field(None, description="TLS to the brokers; without this block connections are plain.")
    auth: KafkaAuth = Field(default_factory=KafkaAuth, description="Who we are to the brokers.")
    metadata: KafkaMetadata = Field(default_factory=KafkaMetadata, description="What is known of the cluster.")

    @property
    def transport_security(self) -> ClientTls | None:
        """The TLS settings in force; None for plain connections (configtls: `insecure` and no CA means none)."""
        tls = self.tls or self.auth.tls
        if tls is None or (tls.insecure and not (tls.ca_file or tls.ca_pem.get_secret_value())):
            return None
        return tls


def client_arguments(config: KafkaClient, host: Host) -> dict[str, Any]:
    """Keyword arguments that AIOKafkaProducer, AIOKafkaConsumer and AIOKafkaAdminClient share.

    Call it in `start`, on the main loop; the clients made of it may run on other loops. A consumer gets `client_rack`
    of its own from `config.rack_id`.

    Raises:
        StartError: aiokafka is not installed, a certificate cannot be read, an extension cannot give a token.
    """
    require_library(host)
    tls = config.transport_security
    sasl = login(config.auth, host)
    return {
        "bootstrap_servers": list(config.brokers),
        "client_id": config.client_id or None,
        "metadata_max_age_ms": milliseconds(config.metadata.refresh_interval),
        "retry_backoff_ms": milliseconds(config.metadata.retry.backoff),
        "connections_max_idle_ms": milliseconds(config.conn_idle_timeout),
        "security_protocol": ("SASL_" if sasl else "") + ("PLAINTEXT" if tls is None else "SSL"),
        "ssl_context": None if tls is None else broker_context(tls, host),
        **sasl,
    }


def require_library(host: Host) -> None:
    """Make sure of the libraries of the extra `kafka`, and that aiokafka's log stays small.

    Raises:
        StartError: one is not installed; the text has the command that helps.
    """
    try:
        for library in ("aiokafka", "xxhash"):
            import_module(library)
    except ImportError:
        raise StartError(f'{host.id}: Kafka needs a library: pip install "penstock[kafka]"') from None
    calm()


def milliseconds(seconds: float) -> int:
    """Seconds as aiokafka takes them; at least 1 ms."""
    return max(1, round(seconds * 1000))
