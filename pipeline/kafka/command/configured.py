"""Which cluster and which topics hold the dead letters of a configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.config.ids import ComponentId
from pipeline.config.references import exporters_named, references, with_named_exporters
from pipeline.config.settings import ComponentSettings, Settings
from pipeline.errors import PenstockError
from pipeline.kafka.dead_letters import DeadLetterTopic
from pipeline.kafka.settings import KafkaClient
from pipeline.signals import Signal


@dataclass(frozen=True, slots=True)
class Cluster:
    """Settings of a client, the topics to read, and the extensions that the client asks for tokens."""

    client: KafkaClient
    topics: tuple[str, ...]
    extensions: tuple[ComponentSettings, ...] = ()


def cluster_at(brokers: Sequence[str], topics: Sequence[str]) -> Cluster:
    """A cluster without TLS and login. Raises PenstockError for an address that is none, or when no topic is named."""
    if not topics:
        raise PenstockError("--brokers needs --topic: there is no configuration that names one")
    try:
        client = KafkaClient(brokers=tuple(brokers))
    except ValidationError as error:
        raise PenstockError("; ".join(str(each["msg"]) for each in error.errors())) from None
    return Cluster(client, tuple(topics))


def cluster_of(settings: Settings, component: str | None, topics: Sequence[str]) -> Cluster:
    """The cluster of a Kafka receiver or exporter, by its id; without one, of the only one that has dead letters.

    Raises:
        PenstockError: no such component, more than one, or no topic is known.
    """
    found = list(_candidates(settings, component))
    if not found:
        raise PenstockError(
            "no Kafka receiver has dead_letter::topic, and no exporter names a Kafka exporter as dead_letter"
            if component is None
            else f'the configuration has no Kafka receiver or exporter "{component}"'
        )
    if len({settings.path for settings, _ in found}) > 1:
        names = ", ".join("::".join(settings.path) for settings, _ in found)
        raise PenstockError(f"several come into question; name one with --component: {names}")
    ((chosen, own),) = found
    assert isinstance(chosen.config, KafkaClient), "only those were found"  # noqa: S101 - for the type checker
    if not topics and not own:
        raise PenstockError(f"{'::'.join(chosen.path)} has no dead-letter topic; name one with --topic")
    named = [target for _, target, reference in references(chosen.config) if reference.kind == "extensions"]
    extensions = tuple(settings.extensions[target] for target in named if target in settings.extensions)
    return Cluster(chosen.config, tuple(topics) or own, extensions)


def _candidates(settings: Settings, component: str | None) -> Iterator[tuple[ComponentSettings, tuple[str, ...]]]:
    """Kafka clients with the topics of their dead letters: the named ones, or those that have any."""
    taking = _taking(settings)
    for each in (*settings.receivers.values(), *settings.exporters.values()):
        if not isinstance(each.config, KafkaClient):
            continue
        own = _read_from(each.config) if each.path[0] == "receivers" else _written_to(each.config, taking[each.id])
        if own if component is None else component in (str(each.id), each.path[1], "::".join(each.path)):
            yield each, own


def _taking(settings: Settings) -> defaultdict[ComponentId, set[Signal]]:
    """The exporters that take dead letters of others, with their signals."""
    taking: defaultdict[ComponentId, set[Signal]] = defaultdict(set)
    for pipeline in settings.service.pipelines.values():
        for exporter in with_named_exporters(pipeline.exporters, settings.exporters):
            for _, target in exporters_named(exporter, settings.exporters):
                taking[target].add(Signal(pipeline.id.signal))
    return taking


def _read_from(receiver: KafkaClient) -> tuple[str, ...]:
    topic = getattr(receiver, "dead_letter", None)
    return (topic.topic,) if isinstance(topic, DeadLetterTopic) else ()


def _written_to(exporter: KafkaClient, signals: set[Signal]) -> tuple[str, ...]:
    keys_of = getattr(exporter, "keys_of", None)
    topics = (keys_of(signal).topic for signal in Signal if signal in signals) if keys_of is not None else ()
    return tuple(dict.fromkeys(topics))
