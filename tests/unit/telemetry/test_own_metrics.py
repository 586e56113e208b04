"""The list of Penstock's own metrics is the one that the code has: names, types, labels."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "own-metrics.md"
NAME: Final = re.compile(r"(otelcol|penstock)_[a-z0-9_*]*[a-z0-9*]")
ITEMS: Final = frozenset({"spans", "metric_points", "log_records"})
TYPES: Final = {"counter": "counter", "gauge": "gauge", "watch": "gauge", "histogram": "histogram"}


@dataclass(frozen=True)
class Documented:
    type: str
    labels: str


@dataclass(frozen=True)
class Told:
    """A name in the code, `*` for each part that is only known when it runs."""

    file: Path
    pattern: str

    def names(self, documented: str) -> bool:
        """Whether it may be this metric; what stands for `*` is a word of the same file, or kinds of items."""
        found = re.fullmatch(self.pattern.replace("*", "([a-z_]+?)"), documented)
        return found is not None and all(part in words(self.file) | ITEMS for part in found.groups())


@cache
def documented() -> dict[str, Documented]:
    found: dict[str, Documented] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            assert len(cells) == 4, line
            for name in spelled_out(cells[0].strip("`")):
                assert name not in found, f"{name} is there twice"
                found[name] = Documented(cells[1], cells[2])
    return found


def spelled_out(name: str) -> Iterator[str]:
    """`a_{b,c}` is `a_b` and `a_c`."""
    parts = [part.split(",") for part in re.split(r"[{}]", name)]
    yield from ("".join(each) for each in itertools.product(*parts))


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def files() -> tuple[Path, ...]:
    """Those in which a name could begin."""
    found = (file for room in ("pipeline", "processors") for file in (ROOT / room).rglob("*.py"))
    begins = re.compile("otelcol_|penstock_")
    return tuple(f for f in found if "testing" not in f.parts and begins.search(f.read_text(encoding="utf-8")))


@cache
def words(file: Path) -> frozenset[str]:
    return frozenset(
        node.value for node in ast.walk(tree(file)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@cache
def constants(file: Path) -> dict[str, str]:
    """Texts of a module that have names."""
    found = (node for node in tree(file).body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))
    return {
        node.target.id: node.value.value
        for node in found
        if isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def pattern(node: ast.AST, file: Path) -> str:
    """A text as it is put together, `*` for what is not known; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = (part.value if isinstance(part, ast.FormattedValue) else part for part in node.values)
    return "".join(
        constants(file).get(part.id, "*") if isinstance(part, ast.Name) else pattern(part, file) or "*"
        for part in parts
    )


@cache
def told() -> frozenset[Told]:
    found = set()
    for file in files():
        prefixes = {value for value in constants(file).values() if value not in documented()}
        inner = {
            id(part) for node in ast.walk(tree(file)) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
            if part is not node
        }  # fmt: skip
        for node in ast.walk(tree(file)):
            text = pattern(node, file).removesuffix("_total")
            if id(node) not in inner and text not in prefixes and NAME.fullmatch(text):
                found.add(Told(file, text))
    return frozenset(found)


def calls() -> Iterator[tuple[Told, str, set[str]]]:
    """Instruments that are made with a name that stands there: the name, the type, the labels that stand there."""
    for file in files():
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute | ast.Name):
                kind = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                text = pattern(node.args[0], file)
                if kind in TYPES and NAME.fullmatch(text):
                    yield Told(file, text), TYPES[kind], {each.arg for each in node.keywords if each.arg}


def test_every_metric_is_on_the_page() -> None:
    unknown = {each for each in told() if not any(map(each.names, documented()))}
    assert not unknown, "add a row to docs/own-metrics.md"


def test_every_metric_of_the_page_is_there() -> None:
    assert not [name for name in documented() if not any(each.names(name) for each in told())]


def test_types_and_labels_are_right() -> None:
    made = list(calls())
    assert len(made) > 50
    for each, kind, labels in made:
        for name in filter(each.names, documented()):
            row = documented()[name]
            assert row.type == kind, name
            assert labels <= set(re.findall(r"\w+", row.labels)) | {"buckets"}, name
