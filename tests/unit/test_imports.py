"""Who may import whom: rooms keep their directions, and no module needs itself to be imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for room in ("pipeline", "processors") for path in (ROOT / room).rglob("*.py")}


def imported(node: ast.AST, *, when_loaded: bool) -> Iterator[str]:
    """Modules that a piece of code imports: all, or those that are needed when it is loaded."""
    if isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in FILES else node.module
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif not (when_loaded and (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(node))):
        for child in ast.iter_child_nodes(node):
            yield from imported(child, when_loaded=when_loaded)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


# Each room, and what it must not know.
@pytest.mark.parametrize(
    ("room", "above"),
    [
        ("pipeline", ["processors"]),
        ("pipeline.config", ["pipeline.component", "pipeline.delivery", "pipeline.graph"]),
        ("pipeline.signals", ["pipeline.component", "pipeline.config", "pipeline.delivery"]),
        ("pipeline.kafka", ["pipeline.receivers", "pipeline.exporters", "pipeline.extensions", "pipeline.graph"]),
        ("pipeline.delivery", ["pipeline.receivers", "pipeline.exporters", "pipeline.extensions", "pipeline.kafka"]),
        ("pipeline.service", ["pipeline.workers"]),
        ("processors.sampling", ["processors.trace_buffer", "processors.tail_sampling"]),
        ("processors.trace_buffer", ["processors.tail_sampling", "processors.groupbytrace", "processors.sampling"]),
        ("processors.groupbytrace", ["processors.tail_sampling"]),
        ("processors.tail_sampling.policy", ["processors.tail_sampling.policies", "processors.trace_buffer"]),
        ("processors.tail_sampling.learning", ["processors.tail_sampling.policies", "processors.tail_sampling.facts"]),
        ("processors.tail_sampling.facts", ["processors.tail_sampling.policies", "processors.tail_sampling.learning"]),
        ("processors.tail_sampling.policies", ["processors.tail_sampling.rules", "processors.tail_sampling.sampler"]),
    ],
)
def test_rooms(room: str, above: list[str]) -> None:
    wrong = {
        f"{module} -> {name}"
        for module in FILES
        if f"{module}.".startswith(f"{room}.")
        for name in imported(tree(module), when_loaded=False)
        if any(f"{name}.".startswith(f"{other}.") for other in above)
    }
    assert wrong == set()


def test_no_circles() -> None:
    graph = {
        module: {
            name
            for name in imported(tree(module), when_loaded=True)
            # A package and what is in it may name each other.
            if name in FILES and not f"{module}.".startswith(f"{name}.") and not f"{name}.".startswith(f"{module}.")
        }
        for module in FILES
    }
    TopologicalSorter(graph).prepare()
