"""One row per key of a configuration file: honoured or refused, and why. `penstock validate` prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pipeline.config.catalog import KINDS
from pipeline.config.describe import description_at, summary
from pipeline.config.ids import ComponentId
from pipeline.config.references import with_named_exporters
from pipeline.config.service import ServiceConfig
from pipeline.config.tree import DELIMITER, Mapping, Node, Path, Position, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from pipeline.config.examination import Examination
    from pipeline.errors import Problem

_SECTIONS: Final[dict[str, str]] = {
    "receivers": "what takes data in",
    "processors": "what works on it",
    "exporters": "what sends it out",
    "connectors": "what joins pipelines",
    "extensions": "what serves the process",
    "service": "what runs",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of one key."""

    path: Path
    position: Position
    verdict: Literal["honoured", "refused"]
    why: str

    def __str__(self) -> str:
        return f"{self.position}\t{DELIMITER.join(map(str, self.path))}\t{self.verdict}\t{self.why}".rstrip()


def rows(examination: Examination) -> Iterator[Row]:
    """A row for every key, in the order of the file."""
    reporter = _Reporter(examination)
    for key, node in examination.root.items.items():
        yield from reporter.key((key,), node, examination.root.keys[key])


class _Reporter:
    """Joins the tree, the problems and what the models say about their keys."""

    def __init__(self, examination: Examination) -> None:
        self._problems: dict[Path, list[Problem]] = {}
        for problem in examination.problems:
            self._problems.setdefault(_key_path(problem.path), []).append(problem)
        self._known = {known.path: known for part in examination.known.values() for known in part.values()}
        pipelines = examination.pipelines.values()
        self._used = {str(use.id) for pipeline in pipelines for uses in pipeline.uses.values() for use in uses}
        self._used |= {str(name) for name in (examination.service.extensions if examination.service else ())}
        sending = [use.id for pipeline in pipelines for use in pipeline.uses["exporters"]]
        self._used |= set(map(str, with_named_exporters(sending, examination.components["exporters"])))

    def key(
        self, path: Path, node: Node, position: Position, model: type[BaseModel] | None = None, depth: int = 0
    ) -> Iterator[Row]:
        """The row of one key and those below it; `depth` keys of `path` lead to the model's own keys."""
        if path == ("service",):
            model, depth = ServiceConfig, 1
        why = self._why(path, model, depth)
        if len(path) == 2 and path[0] in KINDS:
            known = self._known.get(path)
            model, depth = (known.cls.Config, 2) if known is not None and known.cls is not None else (None, 0)
        if problems := self._problems.get(path):
            yield Row(path, position, "refused", "; ".join(problem.message for problem in problems))
            if any(problem.message.startswith(("unknown ", "in ")) for problem in problems):
                return
        else:
            yield Row(path, position, "honoured", why)
        yield from self._below(path, node, model, depth)

    def _below(self, path: Path, node: Node, model: type[BaseModel] | None, depth: int) -> Iterator[Row]:
        if isinstance(node, Mapping):
            for key, item in node.items.items():
                yield from self.key((*path, key), item, node.keys[key], model, depth)
        elif isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                yield from self._below((*path, index), item, model, depth)

    def _why(self, path: Path, model: type[BaseModel] | None, depth: int) -> str:
        if len(path) == 1:
            return _SECTIONS.get(str(path[0]), "")
        known = self._known.get(path)
        if known is not None and known.cls is not None:
            unused = "" if str(ComponentId.parse(str(path[1]))) in self._used else " (checked; not in use)"
            return summary(known.cls) + unused
        return description_at(model, path[depth:]) if model is not None else ""


def _key_path(path: Path) -> Path:
    """The path of the key that a problem is about: indices of plain list items at the end are dropped."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path
