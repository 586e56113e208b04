"""Exporters that other exporters name for what they cannot deliver: of the same signals, and no circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.references import exporters_named, with_named_exporters
from pipeline.config.tree import locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.examination import Examination
    from pipeline.config.ids import ComponentId
    from pipeline.config.settings import ComponentSettings
    from pipeline.errors import Problem

    Exporters = Mapping[ComponentId, ComponentSettings]


def misdirected(result: Examination) -> Iterator[Problem]:
    """A problem for every exporter in use whose dead letters cannot go where it says."""
    exporters = result.components["exporters"]
    signals: dict[ComponentId, set[str]] = {}
    for pipeline in result.pipelines.values():
        for component_id in with_named_exporters((use.id for use in pipeline.uses["exporters"]), exporters):
            signals.setdefault(component_id, set()).add(pipeline.id.signal)
    for component_id, in_use in signals.items():
        for path, target in exporters_named(component_id, exporters):
            if target in exporters:
                message = _circle(component_id, target, exporters) or _unable(target, in_use, exporters)
                if message:
                    _, _, node = locate(result.root, path)
                    yield node.position.problem(message, path)


def _circle(component_id: ComponentId, target: ComponentId, exporters: Exporters) -> str:
    if component_id not in with_named_exporters([target], exporters):
        return ""
    what = "itself" if component_id == target else f'"{target}", from which they come back'
    return f'exporter "{component_id}" cannot send its dead letters to {what}'


def _unable(target: ComponentId, in_use: set[str], exporters: Exporters) -> str:
    missing = ", ".join(sorted(in_use - {str(signal) for signal in exporters[target].cls.signals}))
    return f'exporter "{target}" does not support {missing}, of which it is to take dead letters' if missing else ""
