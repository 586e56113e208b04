"""Are the written minimal pairs as many and as varied as they have to be?

    python -m training.adversarial.pairs_check [FOLDER]

prints the figures of all `<category>.<language>.jsonl` files of a folder and ends with 1 where one is out of bounds.
"""

from __future__ import annotations

import json
import string
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).with_name("pairs")
CATEGORIES: Final = (
    "direct_injection",
    "indirect",
    "jailbreak",
    "extraction",
    "special_token",
    "obfuscated",
    "exfiltration",
    "many_shot",
    "resource_abuse",
)
LANGUAGES: Final = ("en", "ja")
SIDES: Final = ("attack", "benign")
SHINGLE: Final = 5
LEAST_PAIRS: Final = 1000
LEAST_FRAMES: Final = 40
MOST_SHARED: Final = 0.5


class Pair(NamedTuple):
    """An attack and its harmless twin, with the category and language of their file."""

    id: str
    category: str
    language: str
    frame: str
    attack: str
    benign: str


class Overlap(NamedTuple):
    """Two texts of a language that share a part of their shingles, in 0..1 of the shorter one's."""

    share: float
    side: str
    first: str
    second: str


@dataclass(frozen=True)
class Report:
    """The figures of a set of pairs.

    Attributes:
        pairs: how many, by category and language.
        frames: how many different ones, by category.
        overlaps: every two texts of a side and a language that share a shingle, most alike first.
    """

    pairs: Counter[tuple[str, str]]
    frames: dict[str, int]
    overlaps: list[Overlap]

    def failures(self) -> list[str]:
        """What is out of bounds, one sentence each."""
        total = self.pairs.total()
        few = [f"{total} pairs, at least {LEAST_PAIRS} are needed"] if total < LEAST_PAIRS else []
        few += [
            f"{category}: {self.frames.get(category, 0)} frames, at least {LEAST_FRAMES} are needed"
            for category in CATEGORIES
            if self.frames.get(category, 0) < LEAST_FRAMES
        ]
        return few + [
            f"{first} and {second}: {share:.2f} of the shingles of the {side} text are shared"
            for share, side, first, second in self.overlaps
            if share > MOST_SHARED
        ]

    def lines(self) -> list[str]:
        """The figures as a table, the overlaps as their maxima."""
        head = f"{'category':18}" + "".join(f"{language:>6}" for language in LANGUAGES) + "  frames"
        rows = [
            f"{category:18}"
            + "".join(f"{self.pairs[category, language]:6}" for language in LANGUAGES)
            + f"{self.frames.get(category, 0):8}"
            for category in CATEGORIES
        ]
        most = [max((o for o in self.overlaps if o.side == side), default=None) for side in SIDES]
        shares = [f"largest share, {o.side}: {o.share:.3f} ({o.first}, {o.second})" for o in most if o]
        return [head, *rows, f"{'total':18}{self.pairs.total():6}", *shares]


def load(folder: Path) -> list[Pair]:
    """The pairs of all files of a folder.

    Raises:
        ValueError: a file's name, an id or a row is not as it should be; names the row.
    """
    found: list[Pair] = []
    for path in sorted(folder.glob("*.jsonl")):
        category, _, language = path.stem.partition(".")
        if category not in CATEGORIES or language not in LANGUAGES:
            raise ValueError(f"{path.name}: not a category and language that is known")
        # the texts hold U+2028 and the like, which end a line for splitlines()
        rows = enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        found += [_pair(row, f"{path.name}:{number}", category, language) for number, row in rows if row]
    repeated = [name for name, times in Counter(pair.id for pair in found).items() if times > 1]
    if repeated:
        raise ValueError(f"ids that occur more than once: {', '.join(repeated)}")
    return found


def _pair(row: str, where: str, category: str, language: str) -> Pair:
    try:
        fields = {name: str(value) for name, value in json.loads(row).items()}
        pair = Pair(category=category, language=language, **fields)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: not an object of id, frame, attack and benign") from error
    if not pair.id.startswith(f"{category}-{language}-") or not all(pair):
        raise ValueError(f"{where}: an empty text, or an id that does not begin with {category}-{language}-")
    return pair


def shingles(text: str, language: str) -> frozenset[tuple[str, ...]]:
    """Every five words in a row; in Japanese every five characters. A shorter text is one shingle."""
    folded = text.casefold()
    words = list("".join(folded.split())) if language == "ja" else _words(folded)
    last = max(1, len(words) - SHINGLE + 1)
    return frozenset(tuple(words[at : at + SHINGLE]) for at in range(last))


def _words(text: str) -> list[str]:
    bare = (word.strip(string.punctuation) for word in text.split())
    return [word for word in bare if word]


def overlaps(pairs: Iterable[Pair]) -> list[Overlap]:
    """Every two attacks, and every two benign texts, of a language that share a shingle, most alike first."""
    groups: defaultdict[tuple[str, str], list[tuple[str, frozenset[tuple[str, ...]]]]] = defaultdict(list)
    for pair in pairs:
        groups["attack", pair.language].append((pair.id, shingles(pair.attack, pair.language)))
        groups["benign", pair.language].append((pair.id, shingles(pair.benign, pair.language)))
    found = [
        Overlap(len(one & other) / min(len(one), len(other)), side, first, second)
        for (side, _), texts in groups.items()
        for (first, one), (second, other) in combinations(texts, 2)
        if not one.isdisjoint(other)
    ]
    return sorted(found, reverse=True)


def report(pairs: Sequence[Pair]) -> Report:
    """The figures of pairs."""
    frames = Counter(category for category, _ in {(pair.category, pair.frame) for pair in pairs})
    return Report(Counter((pair.category, pair.language) for pair in pairs), dict(frames), overlaps(pairs))


def main(arguments: Sequence[str]) -> int:
    """Prints the figures; 1 where one is out of bounds."""
    figures = report(load(Path(arguments[0]) if arguments else FOLDER))
    failures = figures.failures()
    sys.stdout.write("\n".join([*figures.lines(), *failures]) + "\n")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
