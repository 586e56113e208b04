"""How well `adversarial` does: `make eval-adversarial`.

The shipped model on labelled texts that it was not trained on, and on attacks hidden in many ways. Where the folder has
the texts that it was trained on as well, so do models trained without whole families of sources on what was left out.
Exit status 1 where a floor is not reached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from processors.adversarial.detector import Detector
from processors.adversarial.verdict import Origin
from tests.evaluation import adversarial_tables as tables
from tests.evaluation.adversarial_survival import (
    LISTED,
    SURVIVAL,
    Survival,
    joiners,
    judged,
    plain,
    raised,
    survivals,
    unraised,
)
from training.adversarial.judgements import Judgements, joined
from training.adversarial.rows import Row, read_rows

ALL: Final = "all of these"
MODEL: Final = "model"
LEFT_OUT: Final = "left-out"
PARTS: Final = (MODEL, LEFT_OUT)
_TOOL: Final = Origin.TOOL
_PIECE: Final = "<!-- measured: {} -->\n"
_END: Final = "<!-- end -->"


def texts_of(folder: Path) -> list[Row]:
    """The labelled texts of a folder that nothing was trained on.

    Raises:
        FileNotFoundError: there are none.
    """
    (path, *_) = [*folder.glob("dev.jsonl.gz"), *folder.glob("dev.jsonl")] or [folder / "dev.jsonl.gz"]
    return list(read_rows(path))


def measure(detector: Detector, rows: list[Row], short: list[str]) -> Iterator[tuple[str, str]]:
    """Names and tables of what the shipped model says; `short` takes what is not reached."""
    judgements, as_tool_results = judged(detector, rows), judged(detector, rows, _TOOL)
    yield "model", f"Model `{detector.model.weights.version}`, {len(rows):,} texts."
    yield "knowledge", tables.knowledge()
    yield "languages", tables.languages(judgements)
    yield "attacks", tables.attacks(judgements, as_tool_results)
    yield "harmless", tables.harmless(judgements, as_tool_results)
    yield "bands", tables.bands(judgements)
    attacks, natural = plain(judgements)
    found = list(survivals(detector, attacks, natural))
    short += [f"hidden as {one.way}: {one.share:.3f} found" for one in found if not _is_found(one)]
    yield "hidden", tables.hidden(found)
    yield "signs", "\n".join(_signs(attacks, short))


def _is_found(one: Survival) -> bool:
    return one.way not in LISTED or one.share >= SURVIVAL


def _signs(attacks: list[str], short: list[str]) -> Iterator[str]:
    for way, (count, texts) in unraised(attacks).items():
        short += [f"{way}: {count} raise no sign"] if count else []
        yield f"- Hidden as {way}, {count} of {texts} attacks raise no sign."
    sentences = [text for some in joiners().values() for text in some]
    count = sum(bool(raised(text)) for text in sentences)
    short += [f"{count} sentences with joiners raise a sign"] if count else []
    yield f"- Of {len(sentences)} sentences in which joiners, selectors and flags belong, {count} raise one."


def left_out(folder: Path) -> dict[str, Judgements]:
    """What models say of families of sources that they were trained without, and of all these together."""
    from training.adversarial.evaluating import left_out as judge_left_out
    from training.adversarial.training import make_task

    task, _ = make_task(folder)
    families = {}
    for name, judgements in judge_left_out(task):
        families[name] = judgements
        sys.stderr.write(f"{name}: {len(judgements):,} texts scored\n")
    every = joined(list(families.values()))
    en, ja = (every.where(partial(_is_in, language)) for language in ("en", "ja"))
    return {**families, ALL: every, f"{ALL}, en": en, f"{ALL}, ja": ja}


def _is_in(language: str, row: Row) -> bool:
    return row.language == language


def measure_left_out(families: Mapping[str, Judgements], short: list[str]) -> Iterator[tuple[str, str]]:
    """Names and tables of what models say of sources they were trained without."""
    yield "floors", tables.floors({name: some for name, some in families.items() if name.startswith(ALL)})
    yield "left-out", tables.sources(families)
    yield "left-out-hard", tables.hard(families)
    faults = [floor.falls_short(families[ALL]) for floor in tables.FLOORS]
    short += [f"left-out sources: {fault}" for fault in faults if fault]


def put(path: Path, pieces: Mapping[str, str]) -> None:
    """Replace those marked pieces of a page that were measured; others stay."""
    page = path.read_text("utf-8")
    for name, text in pieces.items():
        before, mark, rest = page.partition(_PIECE.format(name))
        if mark:
            page = f"{before}{mark}{text}\n{_END}{rest.partition(_END)[2]}"
    path.write_text(page, "utf-8")


def main() -> int:
    """Print the tables, and put them into pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="has dev.jsonl.gz or dev.jsonl, and may have train.jsonl.gz")
    parser.add_argument("--write", type=Path, nargs="*", default=[], metavar="PAGE", help="pages to put tables into")
    parser.add_argument("--only", choices=PARTS, help="the shipped model, which takes a minute, or what is left out")
    arguments = parser.parse_args()
    short: list[str] = []
    for name, text in _all(arguments.folder, short, arguments.only):
        sys.stdout.write(f"## {name}\n\n{text}\n\n")
        sys.stdout.flush()
        for page in arguments.write:
            put(page, {name: text})
    sys.stdout.writelines(f"short: {fault}\n" for fault in short)
    return bool(short)


def _all(folder: Path, short: list[str], only: str | None) -> Iterator[tuple[str, str]]:
    if only != LEFT_OUT:
        yield from measure(Detector.load(), texts_of(folder), short)
    if only != MODEL and (folder / "train.jsonl.gz").exists():
        yield from measure_left_out(left_out(folder), short)


if __name__ == "__main__":
    sys.exit(main())
