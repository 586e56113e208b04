"""The order of a pipeline's components, where one says that it belongs behind others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.check import Components, Pipeline
    from pipeline.errors import Problem


def misplaced(known: Components, pipeline: Pipeline) -> Iterator[Problem]:
    """A warning for each processor that stands before one whose work it reads, or behind one that takes it away.

    See `Processor.behind` and `Processor.before`.
    """
    uses = pipeline.uses.get("processors", ())
    classes = [_class(known, "processors", use.id) for use in uses]
    for index, (use, cls) in enumerate(zip(uses, classes, strict=True)):
        later = {other.type for other in classes[index + 1 :] if other is not None}
        for name in sorted(later & getattr(cls, "behind", frozenset())):
            message = f'"{use.id}" stands before "{name}" and does not see what that does; put it behind'
            yield use.position.problem(message, use.path)
        earlier = {other.type for other in classes[:index] if other is not None}
        for name in sorted(earlier & getattr(cls, "before", frozenset())):
            message = f'"{use.id}" stands behind "{name}" and reads only what that has left; put it in front'
            yield use.position.problem(message, use.path)


def miscounted(known: Components, pipeline: Pipeline) -> Iterator[Problem]:
    """A warning for each connector that counts what a processor has left, and belongs in front (`Processor.ahead`)."""
    for processor in pipeline.uses.get("processors", ()):
        counting: frozenset[str] = getattr(_class(known, "processors", processor.id), "ahead", frozenset())
        for use in pipeline.uses.get("exporters", ()):
            if getattr(_class(known, "connectors", use.id), "type", None) in counting:
                message = (
                    f'"{use.id}" counts only what "{processor.id}" keeps: feed it from a pipeline in front, and join '
                    "the two by a forward connector"
                )
                yield use.position.problem(message, use.path)


def _class(known: Components, kind: str, component_id: Any) -> type[Any] | None:
    entry = known[kind].get(component_id)
    return entry.cls if entry is not None else None
