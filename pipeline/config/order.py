"""The order of a pipeline's processors, where one says that it belongs behind others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.check import Components, Pipeline
    from pipeline.errors import Problem


def misplaced(known: Components, pipeline: Pipeline) -> Iterator[Problem]:
    """A warning for each processor that stands before one whose work it reads (`Processor.behind`)."""
    uses = pipeline.uses.get("processors", ())
    classes = [_class(known, use.id) for use in uses]
    for index, (use, cls) in enumerate(zip(uses, classes, strict=True)):
        later = {other.type for other in classes[index + 1 :] if other is not None}
        for name in sorted(later & getattr(cls, "behind", frozenset())):
            message = f'"{use.id}" stands before "{name}" and does not see what that does; put it behind'
            yield use.position.problem(message, use.path)


def _class(known: Components, component_id: Any) -> type[Any] | None:
    entry = known["processors"].get(component_id)
    return entry.cls if entry is not None else None
