"""Clients that would wait for data which rests in a processor by design: they would time out, and send it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.tree import Path, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.check import Pipeline
    from pipeline.config.examination import Examination
    from pipeline.config.ids import ComponentId
    from pipeline.config.settings import ComponentSettings
    from pipeline.errors import Problem


def awaited(result: Examination) -> Iterator[Problem]:
    """A problem for every receiver whose clients wait for what a processor behind it holds for long."""
    for settings in result.components["receivers"].values():
        key = settings.cls.awaits_delivery(settings.config)
        holder, reason = _holder_behind(settings.id, result) if key else (None, "")
        if holder is not None:
            path: Path = (*settings.path, key)
            _, position, _ = locate(result.root, path)
            yield position.problem(_refusal(settings, key, holder, reason), path)


def _refusal(receiver: ComponentSettings, key: str, holder: ComponentSettings, reason: str) -> str:
    value = getattr(receiver.config, key)
    return (
        f'clients of "{receiver.id}" would wait for "{holder.id}", which {reason}; they would time out and send all of '
        f"it again. Put Kafka in front: this receiver and {key}: {value} in a process that writes to a topic, and "
        f'"{holder.id}" behind a kafka receiver; or leave {key} out, and what waits is lost with the process'
    )


def _holder_behind(receiver: ComponentId, result: Examination) -> tuple[ComponentSettings | None, str]:
    """The first processor that holds data of this receiver for long, and why it does."""
    processors = result.components["processors"]
    for pipeline in _fed_by(receiver, result):
        for use in pipeline.uses["processors"]:
            settings = processors.get(use.id)
            reason = settings.cls.holds_for_long(settings.config) if settings is not None else ""
            if reason:
                return settings, reason
    return None, ""


def _fed_by(receiver: ComponentId, result: Examination) -> Iterator[Pipeline]:
    """Pipelines that data of a receiver runs through, also behind connectors that hand on what they are given."""
    connectors = result.components["connectors"]
    waiting = [pipeline for pipeline in result.pipelines.values() if _has(pipeline, "receivers", receiver)]
    seen = {pipeline.id for pipeline in waiting}
    while waiting:
        pipeline = waiting.pop(0)
        yield pipeline
        forwards = [use.id for use in pipeline.uses["exporters"] if _forwards(connectors.get(use.id))]
        for other in result.pipelines.values():
            is_fed = other.id.signal == pipeline.id.signal and any(_has(other, "receivers", each) for each in forwards)
            if is_fed and other.id not in seen:
                seen.add(other.id)
                waiting.append(other)


def _has(pipeline: Pipeline, part: str, component_id: ComponentId) -> bool:
    return any(use.id == component_id for use in pipeline.uses[part])


def _forwards(connector: ComponentSettings | None) -> bool:
    return connector is not None and connector.cls.forwards
