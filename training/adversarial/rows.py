"""Labelled texts: those of a data set, and those written for this project."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
PAIRS: Final = "pairs"
WRITTEN: Final = "written"
BURIED: Final = "+buried"
"""Ends the source of a text that was put into another one."""
CONSTRUCTED: Final = frozenset({"over_defence", "security_doc", "encoded_benign", "piguard_notinject"})
"""Benign categories that were built to look hostile: they do not set thresholds."""

_TABLE: Final = yaml.safe_load((HERE / "families.yaml").read_text("utf-8"))
_RELATED: Final = _TABLE.pop("related")
_FAMILY_OF: Final = {start: family for family, starts in _TABLE.items() for start in starts}
_STARTS: Final = sorted(_FAMILY_OF, key=len, reverse=True)

FAMILIES: Final = tuple(family for family in _TABLE if family != WRITTEN)
"""Sources that are left out of training together, to see what the model knows without them; see families.yaml."""


def related(family: str) -> frozenset[str]:
    """A family and those that give away what is in it: they are left out with it."""
    return frozenset({family, _RELATED.get(family, family)})


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text.

    Attributes:
        payload: where in the text the attack is, where that is known; elsewhere the text is benign.
    """

    id: str
    text: str
    is_attack: bool
    category: str
    language: str
    source: str
    payload: tuple[int, int] | None = None

    @property
    def is_natural(self) -> bool:
        """Benign, and not built to look hostile."""
        return not self.is_attack and self.category not in CONSTRUCTED

    @property
    def family(self) -> str:
        """Sources of a family are left out together. One that no family names counts as written for the project."""
        return next((_FAMILY_OF[start] for start in _STARTS if self.source.startswith(start)), WRITTEN)


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a `.jsonl.gz` or `.jsonl` file of {id, text, label, category, lang, source}."""
    for item in _read(path):
        yield Row(item["id"], item["text"], bool(item["label"]), item["category"], item["lang"], item["source"])


def read_written(folder: Path = HERE) -> Iterator[Row]:
    """Minimal pairs and further texts written for this project."""
    for path in sorted((folder / "pairs").glob("*.jsonl")):
        category, language, _ = path.name.split(".")
        for item in _read(path):
            yield Row(f"{item['id']}+", item["attack"], True, category, language, PAIRS)
            yield Row(f"{item['id']}-", item["benign"], False, "over_defence", language, PAIRS)
    for path in sorted((folder / "written").glob("*.jsonl")):
        language = path.name.split(".")[0]
        for number, item in enumerate(_read(path)):
            row_id = f"written-{path.stem}-{number}"
            yield Row(row_id, item["text"], bool(item["label"]), item["category"], language, f"{WRITTEN}-{language}")


def _read(path: Path) -> Iterator[Any]:
    raw = path.read_bytes()
    lines = gzip.decompress(raw) if path.suffix == ".gz" else raw
    for line in lines.split(b"\n"):
        if line.strip():
            yield json.loads(line.decode("utf-8", "surrogatepass"))


__all__ = ["BURIED", "CONSTRUCTED", "FAMILIES", "PAIRS", "WRITTEN", "Row", "read_rows", "read_written", "related"]
