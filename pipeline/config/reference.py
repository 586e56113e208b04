"""Reference pages: one Markdown page per component, made from its configuration model."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from pipeline.config.catalog import KINDS, Catalog
from pipeline.config.describe import Key, keys
from pipeline.config.listing import Entry, entries
from pipeline.config.service import ServiceConfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel


def pages(catalog: Catalog) -> dict[str, str]:
    """File name -> text of every page, the index `README.md` included."""
    listed = list(entries(catalog))
    made = {f"{_file_name(entry)}": _page(entry) for entry in listed}
    made["service.md"] = "\n".join(["# service", "", *_docstring(ServiceConfig), "", *_tables(ServiceConfig), ""])
    made["README.md"] = _index(listed)
    return made


def write(catalog: Catalog, folder: Path) -> list[Path]:
    """Write all pages to a folder, drop pages of components that are gone, and give the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages(catalog)
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    written = []
    for name, text in sorted(made.items()):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _file_name(entry: Entry) -> str:
    return f"{entry.kind[:-1]}-{entry.name}.md"


def _index(listed: list[Entry]) -> str:
    lines = ["# Components", "", "Made from the components themselves by `make docs`.", ""]
    for kind in KINDS:
        own = [entry for entry in listed if entry.kind == kind]
        if own:
            lines += [f"## {kind.capitalize()}", "", "| type | signals | what it does |", "|---|---|---|"]
            lines += [f"| [{e.name}]({_file_name(e)}) | {', '.join(e.signals)} | {_cell(e.summary)} |" for e in own]
            lines.append("")
    return "\n".join([*lines, "What runs, and Penstock's own logs and metrics: [service](service.md).", ""])


def _page(entry: Entry) -> str:
    lines = [f"# {entry.name} {entry.kind[:-1]}", ""]
    if entry.signals:
        lines.append(f"Signals: {', '.join(entry.signals)}.  ")
    if entry.aliases:
        lines.append(f"Also known as: {', '.join(f'`{alias}`' for alias in entry.aliases)} (deprecated names).  ")
    lines += ["", *_docstring(entry.cls), "", *_example(entry), "", *_tables(entry.cls.Config), ""]
    return "\n".join(lines)


def _example(entry: Entry) -> Iterator[str]:
    """The component's own example under its section, as it would stand in a file."""
    body = getattr(entry.cls, "example", "").replace("$TMP", "/var/lib/penstock")
    yield from ("```yaml", f"{entry.kind}:", f"  {entry.name}: {body}".rstrip(), "```")


def _docstring(cls: type) -> Iterator[str]:
    """The docstring as Markdown; its sections (`Attributes:` and the like) speak to programmers and stay out."""
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        if line.rstrip() in ("Attributes:", "Args:", "Raises:"):
            return
        yield line


def _tables(model: type[BaseModel]) -> Iterator[str]:
    listed = list(keys(model))
    honoured = [key for key in listed if not key.refused]
    refused = [key for key in listed if key.refused]
    if not listed:
        yield "It has no configuration keys."
    if honoured:
        yield from ("| key | type | default | |", "|---|---|---|---|")
        yield from (_row(key) for key in honoured)
    if refused:
        yield from ("", "Keys of the Collector that are refused:", "", "| key | why |", "|---|---|")
        yield from (f"| `{key.path}` | {_cell(key.description)} |" for key in refused)


def _row(key: Key) -> str:
    default = f"`{_cell(key.default)}`" if key.default else "required"
    return f"| `{key.path}` | {_cell(key.type)} | {default} | {_cell(key.description)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
