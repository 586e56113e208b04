"""What several workers cannot run, found before any of them starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.config.ids import ComponentId
from pipeline.config.references import with_named_exporters
from pipeline.config.settings import ComponentSettings, Settings
from pipeline.errors import ConfigError, Problem

_PARTS = {"traces": "all spans of a trace", "series": "all that counts in a series"}


def check_sharing(settings: Settings, workers: int) -> None:
    """Raises ConfigError with every component that `workers` processes cannot each run."""
    if workers > 1:
        problems = list(_problems(settings, workers))
        if problems:
            raise ConfigError(*problems)


def _problems(settings: Settings, workers: int) -> Iterator[Problem]:
    for used in _used(settings).values():
        reason = used.cls.not_shared(used.config)
        if reason:
            message = f"not with --workers {workers}: {reason}; or run one worker"
            yield used.position.problem(message, used.path)
        elif parts := used.cls.sees_all_of(used.config):
            unkeyed = [r for r in _receivers_before(settings, used) if not r.cls.keyed]
            if unkeyed:
                yield used.position.problem(_divided(_PARTS[parts], unkeyed, workers), used.path)
    yield from _guarded_pages(settings, workers)


def _guarded_pages(settings: Settings, workers: int) -> Iterator[Problem]:
    """The page of all workers is the parent's, where no extension runs."""
    for index, reader in enumerate(settings.service.telemetry.metrics.readers):
        if reader.pull is not None and reader.pull.exporter.prometheus.auth is not None:
            path = ("service", "telemetry", "metrics", "readers", index, "pull", "exporter", "prometheus", "auth")
            message = "the page is served by a process that runs no extensions; use tls with client_ca_file"
            yield Problem(f"not with --workers {workers}: {message}, or run one worker", path)


def _divided(parts: str, unkeyed: Iterable[ComponentSettings], workers: int) -> str:
    names = ", ".join(f'"{receiver.id}"' for receiver in unkeyed)
    return (
        f"not with --workers {workers}: it must see {parts}, and what comes through {names} is "
        "divided among workers by connection; run it behind a keyed receiver (kafka), in a process of its own, or run "
        "one worker"
    )


def _used(settings: Settings) -> dict[tuple[str, str], ComponentSettings]:
    """The components that will run, by section and id."""
    service = settings.service
    wanted: list[tuple[dict[ComponentId, ComponentSettings], Iterable[ComponentId]]] = [
        (settings.extensions, service.extensions)
    ]
    for pipeline in service.pipelines.values():
        wanted.append((settings.receivers, pipeline.receivers))
        wanted.append((settings.processors, pipeline.processors))
        wanted.append((settings.exporters, with_named_exporters(pipeline.exporters, settings.exporters)))
        wanted.append((settings.connectors, pipeline.exporters))
    found = [section[component_id] for section, ids in wanted for component_id in ids if component_id in section]
    return {each.path: each for each in found}


def _receivers_before(settings: Settings, used: ComponentSettings) -> list[ComponentSettings]:
    """Receivers from which data reaches a component, also through connectors."""
    pipelines = settings.service.pipelines
    waiting = [p.id for p in pipelines.values() if used.id in (*p.processors, *p.exporters)]
    seen = set(waiting)
    found: dict[ComponentId, ComponentSettings] = {}
    while waiting:
        for component_id in pipelines[waiting.pop()].receivers:
            if component_id in settings.receivers:
                found[component_id] = settings.receivers[component_id]
                continue
            feeding = [p.id for p in pipelines.values() if component_id in p.exporters and p.id not in seen]
            seen.update(feeding)
            waiting.extend(feeding)
    return list(found.values())
