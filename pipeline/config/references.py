"""Ids inside components that must name something: authenticators, storages, pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from pipeline.config.catalog import KINDS
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.suggest import hint
from pipeline.config.tree import Mapping, Path, locate
from pipeline.config.types import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Mapping as Dict

    from pipeline.config.examination import Examination
    from pipeline.config.settings import ComponentSettings
    from pipeline.errors import Problem


def unresolved(result: Examination) -> Iterator[Problem]:
    """A problem for every such id of a component in use that names nothing."""
    started = set(result.service.extensions) if result.service else set()
    targets: dict[str, set[Any]] = {
        "extensions": started,
        "exporters": set(result.known["exporters"]),
        "pipelines": set(result.pipelines),
    }
    used = {(part, use.id) for one in result.pipelines.values() for part, uses in one.uses.items() for use in uses}
    used |= {("connectors", component_id) for _, component_id in used}
    used |= {("extensions", component_id) for component_id in started}
    exporters = result.components["exporters"]
    sending = [component_id for part, component_id in used if part == "exporters"]
    used |= {("exporters", component_id) for component_id in with_named_exporters(sending, exporters)}
    for kind in KINDS:
        for component in result.components[kind].values():
            if (kind, component.id) in used:
                yield from _unresolved_in(component.config, component.path, result.root, targets)
    if result.service is not None:
        yield from _unresolved_in(result.service.telemetry, ("service", "telemetry"), result.root, targets)


def with_named_exporters(
    used: Iterable[ComponentId], exporters: Dict[ComponentId, ComponentSettings]
) -> dict[ComponentId, None]:
    """The exporters `used` and those that they name, in order; each once, also where they name each other."""
    found: dict[ComponentId, None] = {}
    waiting = list(used)
    while waiting:
        component_id = waiting.pop(0)
        if component_id not in found:
            found[component_id] = None
            waiting += [target for _, target in exporters_named(component_id, exporters)]
    return found


def exporters_named(
    component_id: ComponentId, exporters: Dict[ComponentId, ComponentSettings]
) -> Iterator[tuple[Path, ComponentId]]:
    """The exporters that the configuration of an exporter names, each with its place in the file."""
    settings = exporters.get(component_id)
    if settings is not None:
        for path, target, reference in references(settings.config):
            if reference.kind == "exporters":
                yield (*settings.path, *path), target


def _unresolved_in(config: BaseModel, at: Path, root: Mapping, targets: dict[str, set[Any]]) -> Iterator[Problem]:
    for below, value, reference in references(config):
        names = targets.get(reference.kind, set())
        if value not in names:
            path = (*at, *below)
            _, _, node = locate(root, path)
            where = "listed under service::extensions" if reference.kind == "extensions" else "configured"
            near = hint(str(value), map(str, names), all_of=f"{where} are")
            message = f'references {reference.kind[:-1]} "{value}" which is not {where}{near}'
            yield node.position.problem(message, path)


def references(config: BaseModel) -> Iterator[tuple[Path, Any, Reference]]:
    """Every id in a configuration that its annotation marks as a reference, with its path in the model."""
    for name, info in type(config).model_fields.items():
        mark = next((item for item in _marks(info.annotation, info.metadata) if isinstance(item, Reference)), None)
        yield from _values(getattr(config, name), mark, (info.alias or name,))


def _marks(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    yield from metadata
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _marks(argument, [])


def _values(value: Any, mark: Reference | None, path: Path) -> Iterator[tuple[Path, Any, Reference]]:
    if isinstance(value, BaseModel):
        for below, item, reference in references(value):
            yield (*path, *below), item, reference
    elif isinstance(value, ComponentId | PipelineId):
        if mark is not None:
            yield path, value, mark
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, mark, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _values(item, mark, (*path, index))
