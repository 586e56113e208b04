"""Tables of how well `adversarial` does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from processors.adversarial.features.lexicon import read_concepts, read_entries
from processors.adversarial.model.model import ATTACK, SUSPECT
from tests.benchmarks.report import table
from tests.evaluation.adversarial_survival import LISTED, Survival
from training.adversarial.judgements import Judgements
from training.adversarial.rows import BURIED, CONSTRUCTED, PAIRS, Row, read_written

# Texts of up to so many code points are told apart.
LENGTHS: Final = (300, 1200, 5000, 20_000)

_NATURAL: Final = 0.01, 0.001
_FEWEST: Final = 10
SHARED: Final = "common"
"""What is in the lexicon for every language."""


def is_buried(row: Row) -> bool:
    """Whether a text is an attack within a harmless one."""
    return row.is_attack and (row.source.startswith("embedded-") or row.source.endswith(BURIED))


@dataclass(frozen=True, slots=True)
class Floor:
    """What must be reached on sources left out of training, and what should be."""

    name: str
    least: float
    goal: str
    measure: Callable[[Judgements], float]

    def falls_short(self, judgements: Judgements) -> str | None:
        """What was not reached."""
        value = self.measure(judgements)
        return None if math.isnan(value) or value >= self.least else f"{self.name} {value:.3f} < {self.least}"


def passed(category: str) -> Callable[[Judgements], float]:
    """The share of harmless texts of a category that pass."""
    return lambda some: 1 - some.where(lambda row: not row.is_attack and row.category == category).flagged(SUSPECT)


def natural_passed(judgements: Judgements) -> float:
    """The share of natural texts that pass."""
    return 1 - judgements.natural.flagged(SUSPECT)


def buried_found(judgements: Judgements) -> float:
    """The share of buried attacks that are found."""
    return judgements.where(is_buried).flagged(SUSPECT)


FLOORS: Final = (
    Floor("AUROC", 0.92, "0.95 (en 0.965, ja 0.93)", Judgements.separation),
    Floor("found at 1 % of natural texts", 0.55, "0.65 (en 0.72, ja 0.60)", lambda some: some.found_at(0.01)),
    Floor("over-defence passes", 0.88, "0.90", passed("over_defence")),
    Floor("buried found", 0.65, "", buried_found),
    Floor("security documents pass", 0.92, "", passed("security_doc")),
    Floor("encoded benign passes", 0.98, "", passed("encoded_benign")),
    Floor("natural passes", 0.985, "", natural_passed),
)


def floors(groups: Mapping[str, Judgements]) -> str:
    """What must be reached, and what is, in each group."""
    rows = [
        (floor.name, str(floor.least), floor.goal, *(_share(floor.measure(some)) for some in groups.values()))
        for floor in FLOORS
    ]
    return table(("", "floor", "goal", *groups), rows)


def knowledge() -> str:
    """What was written for the model."""
    entries = list(read_entries())
    texts = Counter(row.source for row in read_written())
    pairs, written = texts.pop(PAIRS) // 2, texts.total()
    languages = {entry.language for entry in entries} - {SHARED}
    return (
        f"{len(entries):,} entries of the lexicon for {len(read_concepts())} concepts in {len(languages)} languages; "
        f"{pairs:,} pairs of attack and harmless twin in English and Japanese; {written:,} further texts in "
        f"{len(texts)} languages."
    )


def languages(judgements: Judgements) -> str:
    """By language."""
    groups = {"all": judgements}
    groups["en"], groups["ja"] = (_of(judgements, "language", code) for code in ("en", "ja"))
    groups["others"] = judgements.where(lambda row: row.language not in ("en", "ja"))
    for code in sorted({row.language for row in judgements.rows} - {"en", "ja"}):
        some = _of(judgements, "language", code)
        if min(len(some.attacks), len(some.natural)) >= _FEWEST:
            groups[code] = some
    return _separations("language", groups)


def sources(families: Mapping[str, Judgements]) -> str:
    """By family of sources."""
    return _separations("left out", families)


def _separations(first: str, groups: Mapping[str, Judgements]) -> str:
    header = (first, "attacks", "natural", "AUROC", "found at 1 %", "at 0.1 %", "found at 0.5", "at 0.9",
              "natural flagged at 0.5", "at 0.9")  # fmt: skip
    return table(header, [(name, *_separation(some)) for name, some in groups.items()])


def _separation(some: Judgements) -> Iterator[str]:
    attacks, natural = some.attacks, some.natural
    yield from (f"{len(attacks):,}", f"{len(natural):,}", _share(some.separation()))
    yield from (_share(some.found_at(rate)) for rate in _NATURAL)
    yield from (_share(attacks.flagged(threshold)) for threshold in (SUSPECT, ATTACK))
    yield from (_percent(natural.flagged(threshold)) for threshold in (SUSPECT, ATTACK))


def hard(families: Mapping[str, Judgements]) -> str:
    """What is built to look hostile and passes, and what is buried and found, by family of sources."""
    header = ("left out", "over-defence passes", "security documents pass", "encoded benign passes", "buried found")
    measures = (passed("over_defence"), passed("security_doc"), passed("encoded_benign"), buried_found)
    return table(header, [(name, *(_share(measure(some)) for measure in measures)) for name, some in families.items()])


def attacks(judgements: Judgements, as_tool_results: Judgements) -> str:
    """By category of attacks; and those buried in harmless texts, of a user and as results of a tool."""
    found = {category: some.attacks for category, some in _by_category(judgements.attacks)}
    found["buried in documents"] = judgements.where(is_buried)
    found["the same as results of tools"] = as_tool_results.where(is_buried)
    header = ("category", "texts", "found at 0.5", "at 0.9")
    return table(header, [(name, *_flagged(some, _share)) for name, some in found.items() if len(some)])


def harmless(judgements: Judgements, as_tool_results: Judgements) -> str:
    """By category of harmless texts."""
    header = ("category", "texts", "flagged at 0.5", "at 0.9")
    found = dict(_by_category(judgements.where(lambda row: not row.is_attack)))
    order = sorted(found, key=lambda category: (category in CONSTRUCTED, category))
    rows = [(f"*{name}*" if name in CONSTRUCTED else name, *_flagged(found[name], _percent)) for name in order]
    as_tools = as_tool_results.natural
    return table(header, [*rows, ("natural, as results of tools", *_flagged(as_tools, _percent))])


def bands(judgements: Judgements) -> str:
    """By length and letters, of natural texts and attacks."""
    header = ("characters", "natural", "flagged at 0.5", "at 0.9", "attacks", "found at 0.5", "at 0.9")
    rows = []
    for name, some in _by_band(judgements):
        natural, wrong = some.natural, some.attacks
        if len(some):
            rows.append((name, *_flagged(natural, _percent), *_flagged(wrong, _share)))
    return table(header, rows)


def _by_band(judgements: Judgements) -> Iterator[tuple[str, Judgements]]:
    edges = (0, *LENGTHS, math.inf)
    for is_ascii, letters in ((True, "ASCII"), (False, "others")):
        for low, high in pairwise(edges):
            name = f"{letters}, {f'up to {high:,}' if math.isfinite(high) else f'over {low:,}'}"

            def inside(row: Row, low: float = low, high: float = high, is_ascii: bool = is_ascii) -> bool:
                return low < len(row.text) <= high and row.text.isascii() == is_ascii

            yield name, judgements.where(inside)


def hidden(found: Iterable[Survival]) -> str:
    """By way of hiding, those that were asked for first."""
    rows = sorted(found, key=lambda one: (one.way not in LISTED, one.way))
    return table(
        ("hidden as", "attacks", "found", "natural", "flagged"),
        [
            (
                f"**{one.way}**" if one.way in LISTED else one.way,
                *(str(one.attacks), _share(one.share), str(one.harmless), str(one.flagged)),
            )
            for one in rows
        ],
    )


def _by_category(judgements: Judgements) -> Iterator[tuple[str, Judgements]]:
    for category in sorted({row.category for row in judgements.rows}):
        yield category, _of(judgements, "category", category)


def _of(judgements: Judgements, field: str, value: str) -> Judgements:
    return judgements.where(lambda row: getattr(row, field) == value)


def _flagged(some: Judgements, form: Callable[[float], str]) -> Sequence[str]:
    return f"{len(some):,}", *(form(some.flagged(threshold)) for threshold in (SUSPECT, ATTACK))


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2%}".replace("%", " %")
