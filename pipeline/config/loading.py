"""Loading a configuration: resolve, decode, check; all problems of a file at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pipeline.config.catalog import KINDS, REMOVED_TYPES, Catalog, InstalledComponents
from pipeline.config.check import Known, check, read_pipelines
from pipeline.config.dead_letters import misdirected
from pipeline.config.decode import decode
from pipeline.config.examination import Examination
from pipeline.config.ids import ComponentId
from pipeline.config.order import miscounted, misplaced
from pipeline.config.references import unresolved
from pipeline.config.resolve import resolve
from pipeline.config.secrets import written_out
from pipeline.config.service import ServiceConfig
from pipeline.config.settings import ComponentSettings, Settings
from pipeline.config.suggest import hint
from pipeline.config.tree import Mapping, Node, Path, Position, Scalar, is_null
from pipeline.config.waiting import awaited
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ
    from collections.abc import Sequence as Uris


def load(
    uris: Uris[str],
    sets: Uris[str] = (),
    *,
    environ: Environ[str, str] | None = None,
    catalog: Catalog | None = None,
) -> Settings:
    """Load a configuration.

    Args:
        uris: sources, later ones laid on earlier: paths, `file:...`, `env:NAME`, `yaml:...`.
        sets: `key.path=value`, laid on after all sources.
        environ: environment variables; the process's own when absent.
        catalog: knows component types; the installed ones when absent.

    Raises:
        ConfigError: all that is wrong, each problem with its place.
    """
    return examine(uris, sets, environ=environ, catalog=catalog).settings()


def examine(
    uris: Uris[str],
    sets: Uris[str] = (),
    *,
    environ: Environ[str, str] | None = None,
    catalog: Catalog | None = None,
) -> Examination:
    """Decode and check everything without giving up at the first problem; arguments as for `load`.

    Raises:
        ConfigError: the sources cannot be read or are no YAML.
    """
    resolved = resolve(uris, sets, os.environ if environ is None else environ)
    examination = Examination(resolved.root, list(resolved.problems), list(resolved.warnings))
    _Examiner(examination, catalog or InstalledComponents()).run()
    # A value that could not be expanded has one problem, not a second one about its type.
    unexpanded = {problem.path for problem in resolved.problems}
    others = (problem for problem in examination.problems if problem.path not in unexpanded)
    examination.problems = [*resolved.problems, *others]
    return examination


class _Examiner:
    """Fills an examination."""

    def __init__(self, result: Examination, catalog: Catalog) -> None:
        self._result = result
        self._catalog = catalog

    def run(self) -> None:
        result = self._result
        self._top_level()
        for kind in KINDS:
            result.components[kind], result.known[kind] = {}, {}
            self._section(kind)
        self._service()
        result.pipelines, problems = read_pipelines(result.root)
        result.problems += problems
        result.problems += check(result.root, result.known, result.pipelines)
        result.problems += unresolved(result)
        result.problems += misdirected(result)
        result.problems += awaited(result)
        result.warnings += written_out(result)
        for pipeline in result.pipelines.values():
            result.warnings += misplaced(result.known, pipeline)
            result.warnings += miscounted(result.known, pipeline)

    def _problem(self, message: str, path: Path, place: Position) -> None:
        self._result.problems.append(place.problem(message, path))

    def _top_level(self) -> None:
        root, known = self._result.root, (*KINDS, "service")
        for key in root.items:
            if key not in known:
                self._problem(f'unknown key "{key}"{hint(key, known, all_of="sections are")}', (key,), root.keys[key])

    def _section(self, kind: str) -> None:
        node = self._result.root.items.get(kind)
        if node is None or is_null(node):
            return
        if not isinstance(node, Mapping):
            self._problem("expected a mapping of component ids", (kind,), self._result.root.keys[kind])
            return
        for key, body in node.items.items():
            self._component(kind, key, body, node.keys[key])

    def _component(self, kind: str, key: str, body: Node, place: Position) -> None:
        path = (kind, key)
        try:
            component_id = ComponentId.parse(key)
        except ValueError as error:
            self._problem(str(error), path, place)
            return
        known = self._result.known[kind]
        if component_id in known:
            self._problem(f'duplicate name "{component_id}" after unmarshaling', path, place)
        cls = self._class(kind, component_id, path, place)
        known[component_id] = Known(cls, place, path)
        if cls is None:
            return
        config, problems = decode(body, cls.Config, path, place)
        self._result.problems += problems
        if config is not None:
            settings = ComponentSettings(component_id, cls, config, place, path)
            self._result.components[kind][component_id] = settings

    def _class(self, kind: str, component_id: ComponentId, path: Path, place: Position) -> type[Any] | None:
        name = component_id.type
        if (kind, name) in REMOVED_TYPES:
            self._problem(REMOVED_TYPES[kind, name], path, place)
            return None
        try:
            cls = self._catalog.get(kind, name)
        except KeyError:
            near = hint(name, self._catalog.names(kind), all_of="valid values:")
            self._problem(f'unknown type: "{name}" for id: "{component_id}"{near}', path, place)
            return None
        except ConfigError as error:
            self._problem("; ".join(problem.message for problem in error.problems), path, place)
            return None
        if name in cls.aliases:
            message = f'"{name}" alias is deprecated; use "{cls.type}" instead'
            self._result.warnings.append(place.problem(message, path))
        return cls

    def _service(self) -> None:
        root = self._result.root
        node = root.items.get("service", Scalar(None, root.position))
        config, problems = decode(node, ServiceConfig, ("service",), root.keys.get("service", root.position))
        self._result.service = config
        self._result.problems += problems
