"""What no single block can know: ids that name nothing, connectors used by half, cycles, signals nobody speaks.

Works on the tree, so that it finds its problems even where other parts of the file are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.suggest import hint
from pipeline.config.tree import Mapping, Node, Path, Position, Scalar, Sequence, child, is_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.config.types import Kind
    from pipeline.errors import Problem

_PARTS: Final[dict[str, Kind]] = {"receivers": "receivers", "processors": "processors", "exporters": "exporters"}


@dataclass(frozen=True, slots=True)
class Known:
    """A configured component: its class (None where its type is unknown), the place of its id, its path."""

    cls: type[Any] | None
    position: Position
    path: Path


Components = dict[str, dict[ComponentId, Known]]


@dataclass(slots=True)
class Use:
    """One id in a list of a pipeline."""

    id: ComponentId
    position: Position
    path: Path


@dataclass(slots=True)
class Pipeline:
    """A pipeline as written."""

    id: PipelineId
    position: Position
    path: Path
    uses: dict[str, list[Use]] = field(default_factory=dict)


def check(root: Mapping, components: Components, pipelines: dict[PipelineId, Pipeline]) -> Iterator[Problem]:
    """Every problem between the parts of a configuration."""
    yield from _sections(root, components)
    yield from _extensions(root, components)
    yield from _ambiguous(components)
    for pipeline in pipelines.values():
        yield from _pipeline(pipeline, components)
    yield from _connectors(components, pipelines)
    yield from _cycles(components, pipelines)


def read_pipelines(root: Mapping) -> tuple[dict[PipelineId, Pipeline], list[Problem]]:
    """The pipelines of the file with the places of their ids. Lists that are no lists are the decoder's business."""
    pipelines: dict[PipelineId, Pipeline] = {}
    problems: list[Problem] = []
    section = child(root, "service", "pipelines")
    for key, node in section.items.items() if isinstance(section, Mapping) else ():
        path, position = ("service", "pipelines", key), section.keys[key]  # type: ignore[union-attr]
        try:
            pipeline_id = PipelineId.parse(key)
        except ValueError as error:
            problems.append(position.problem(str(error), path))
            continue
        if pipeline_id in pipelines:
            problems.append(position.problem(f'duplicate name "{pipeline_id}" after unmarshaling', path))
        uses = {part: list(_uses(child(node, part), (*path, part))) for part in _PARTS}
        pipelines[pipeline_id] = Pipeline(pipeline_id, position, path, uses)
    return pipelines, problems


def _uses(node: Node | None, path: Path) -> Iterator[Use]:
    for index, item in enumerate(node.items) if isinstance(node, Sequence) else ():
        if isinstance(item, Scalar) and isinstance(item.value, str):
            try:
                yield Use(ComponentId.parse(item.value), item.position, (*path, index))
            except ValueError:
                continue


def _sections(root: Mapping, components: Components) -> Iterator[Problem]:
    if not components["receivers"] and _is_empty(root, "receivers"):
        yield root.position.problem("no receiver configuration specified in config", ("receivers",))
    if not components["exporters"] and _is_empty(root, "exporters"):
        yield root.position.problem("no exporter configuration specified in config", ("exporters",))
    if _is_empty(root, "service", "pipelines"):
        service = root.keys.get("service", root.position)
        yield service.problem("service must have at least one pipeline", ("service", "pipelines"))


def _is_empty(root: Node, *path: str) -> bool:
    node = child(root, *path)
    return node is None or is_null(node) or (isinstance(node, Mapping) and not node.items)


def _extensions(root: Mapping, components: Components) -> Iterator[Problem]:
    path = ("service", "extensions")
    for use in _uses(child(root, *path), path):
        if use.id not in components["extensions"]:
            near = hint(str(use.id), map(str, components["extensions"]), all_of="configured are")
            yield use.position.problem(f'references extension "{use.id}" which is not configured{near}', use.path)


def _ambiguous(components: Components) -> Iterator[Problem]:
    for component_id, known in components["connectors"].items():
        for section, kind in (("receivers", "receiver"), ("exporters", "exporter")):
            if component_id in components[section]:
                message = f'ambiguous ID: Found both "{component_id}" {kind} and "{component_id}" connector'
                yield known.position.problem(message, ("connectors", str(component_id)))


def _pipeline(pipeline: Pipeline, components: Components) -> Iterator[Problem]:
    for part in ("receivers", "exporters"):
        if not pipeline.uses[part]:
            yield pipeline.position.problem(f"must have at least one {part[:-1]}", pipeline.path)
    seen: set[ComponentId] = set()
    for use in pipeline.uses["processors"]:
        if use.id in seen:
            yield use.position.problem(f'references processor "{use.id}" multiple times', use.path)
        seen.add(use.id)
    for part, uses in pipeline.uses.items():
        for use in uses:
            yield from _use(use, part, pipeline.id.signal, components)


def _use(use: Use, part: str, signal: str, components: Components) -> Iterator[Problem]:
    known = components[part].get(use.id)
    if known is None:
        connectors = {} if part == "processors" else components["connectors"]
        if use.id not in connectors:
            names = [str(name) for name in (*components[part], *connectors)]
            near = hint(str(use.id), names, all_of="configured are")
            yield use.position.problem(f'references {part[:-1]} "{use.id}" which is not configured{near}', use.path)
    elif known.cls is not None and signal not in known.cls.signals:
        able = ", ".join(sorted(known.cls.signals))
        message = f'{part[:-1]} "{use.id}" does not support {signal}: telemetry type is not supported; it takes {able}'
        yield use.position.problem(message, use.path)


@dataclass(slots=True)
class _Ends:
    """Where a connector stands: pipelines that feed it, pipelines it feeds."""

    feeding: list[tuple[PipelineId, Use]] = field(default_factory=list)
    fed: list[tuple[PipelineId, Use]] = field(default_factory=list)


def _ends(components: Components, pipelines: Iterable[Pipeline]) -> dict[ComponentId, _Ends]:
    ends = {component_id: _Ends() for component_id in components["connectors"]}
    for pipeline in pipelines:
        for use in pipeline.uses["exporters"]:
            if use.id in ends:
                ends[use.id].feeding.append((pipeline.id, use))
        for use in pipeline.uses["receivers"]:
            if use.id in ends:
                ends[use.id].fed.append((pipeline.id, use))
    return ends


def _pairs(known: Known) -> frozenset[tuple[str, str]] | None:
    return None if known.cls is None else frozenset((str(one), str(other)) for one, other in known.cls.pairs)


def _connectors(components: Components, pipelines: dict[PipelineId, Pipeline]) -> Iterator[Problem]:
    """A connector must be fed and must feed, with a pair of signals it supports, in each place it stands."""
    for component_id, ends in _ends(components, pipelines.values()).items():
        pairs = _pairs(components["connectors"][component_id])
        if pairs is None:
            continue
        for pipeline, use in ends.feeding:
            if not any((pipeline.signal, other.signal) in pairs for other, _ in ends.fed):
                yield _half_used(use, pipeline, "exporter", "receiver", pairs)
        for pipeline, use in ends.fed:
            if not any((other.signal, pipeline.signal) in pairs for other, _ in ends.feeding):
                yield _half_used(use, pipeline, "receiver", "exporter", pairs)


def _half_used(use: Use, pipeline: PipelineId, one: str, other: str, pairs: frozenset[tuple[str, str]]) -> Problem:
    able = ", ".join(f"{first} to {second}" for first, second in sorted(pairs))
    message = (
        f'connector "{use.id}" used as {one} in [{pipeline}] pipeline '
        f"but not used in any supported {other} pipeline; it connects {able}"
    )
    return use.position.problem(message, use.path)


def _cycles(components: Components, pipelines: dict[PipelineId, Pipeline]) -> Iterator[Problem]:
    """Data that would run in circles through connectors."""
    edges: dict[PipelineId, list[tuple[Use, PipelineId]]] = {pipeline_id: [] for pipeline_id in pipelines}
    for component_id, ends in _ends(components, pipelines.values()).items():
        pairs = _pairs(components["connectors"][component_id]) or frozenset()
        for one, use in ends.feeding:
            edges[one] += [(use, other) for other, _ in ends.fed if (one.signal, other.signal) in pairs]
    done: set[PipelineId] = set()
    for start in pipelines:
        if start not in done and (cycle := _cycle_from(start, edges, done)):
            way = " -> ".join(f'pipeline "{one}" -> connector "{use.id}"' for one, use in cycle)
            first, use = cycle[0]
            yield use.position.problem(f'cycle detected: {way} -> pipeline "{first}"', use.path)
            done |= {pipeline for pipeline, _ in cycle}


def _cycle_from(
    start: PipelineId, edges: dict[PipelineId, list[tuple[Use, PipelineId]]], done: set[PipelineId]
) -> list[tuple[PipelineId, Use]]:
    """Depth-first search without recursion; gives the steps of the first cycle met."""
    stack = [(start, iter(edges[start]))]
    trail: list[tuple[PipelineId, Use]] = []
    while stack:
        pipeline, rest = stack[-1]
        use, target = next(rest, (None, None))
        if use is None or target is None:
            done.add(pipeline)
            stack.pop()
            del trail[-1:]
            continue
        active = [one for one, _ in stack]
        if target in active:
            return [*trail, (pipeline, use)][active.index(target) :]
        if target not in done:
            trail.append((pipeline, use))
            stack.append((target, iter(edges[target])))
    return []
