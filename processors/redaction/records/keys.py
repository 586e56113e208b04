"""What is known about attribute keys: few keys, seen very often."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from processors.redaction.knowledge.tables import read_table
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.text import TextRedactor

_MOST_KEYS: Final = 20_000

# A longer value says itself what it is, and an object of JSON has keys of its own.
LONGEST_LABELLED: Final = 4096
_OBJECT: Final = "{"
_LONGEST_ALONE: Final = 64

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINTS: Final = re.compile(r"[._\s-]+")
_LABEL_PARTS: Final = 2

# What values begin like. Where a trigger fires on a label with one of them, and not on that alone, the label matters.
_BEGINNINGS: Final = ("0", "000-00-0000", "Xk7Qp2mZ", "xk qp", "Xk Qp", "+0 0", "/xk", "山田", "カナ")


@cache
def place_pattern(name: str) -> re.Pattern[str]:
    """One expression for all of a list in `data/places.yaml`."""
    return re.compile("|".join(read_table("places.yaml")[name]))


def label_of(key: str) -> str:
    """The end of a key as a reader would write it in front of a value: `bank account, bank_account: `."""
    parts = [part for part in key.split(".") if part and not part.isdigit()]
    if not parts:
        return ""
    words = _JOINTS.sub(" ", _CAMEL.sub(" ", " ".join(parts[-_LABEL_PARTS:]))).lower()
    return f"{words}: " if words == parts[-1] else f"{words}, {parts[-1]}: "


def labelled(label: str, text: str) -> str:
    """What is examined of a value: with its label where that can say something."""
    return text if len(text) > LONGEST_LABELLED or text.startswith(_OBJECT) else label + text


def is_short(text: str) -> bool:
    """Whether a value is looked at without its label, too: alone its form may say what its key does not."""
    return len(text) <= _LONGEST_ALONE


class KeyBook:
    """Remembers for each attribute key how its values are looked at, and whether the key itself holds data.

    Keys of maps inside of attributes are known by their path: the keys on the way, joined by dots.

    Attributes:
        special: keys whose values are not plain text: None where they are left alone (ids made by services, and what
            the configuration spares), else the label to read in front of the value.
        dirty: keys with something to redact in them.
        identities: keys of ids of users, sessions and conversations.
    """

    def __init__(self, texts: TextRedactor, widest: Treatment, spares: Callable[[str], bool]) -> None:
        """Ask `spares` for each new key whether the configuration leaves it alone; `widest` finds all there is."""
        self._texts = texts
        self._widest = widest
        self._spares = spares
        self._identifier = place_pattern("identifiers")
        self._identity = place_pattern("identities")
        self._no_label = place_pattern("no_labels")
        self._known: set[str] = set()
        self.special: dict[str, str | None] = {}
        self.dirty: set[str] = set()
        self.identities: set[str] = set()

    def learn(self, keys: Iterable[str]) -> None:
        """Make sure that all keys are known."""
        if self._known.issuperset(keys):
            return
        if len(self._known) > _MOST_KEYS:
            for memory in (self._known, self.special, self.dirty, self.identities):
                memory.clear()
        for key in keys:
            if key not in self._known:
                self._add(key)

    def label(self, path: str) -> str | None:
        """The label of the values at a path, empty where there is none; None where they are left alone."""
        if path not in self._known:
            self.learn((path,))
        return self.special.get(path, "")

    def _add(self, key: str) -> None:
        self._known.add(key)
        if self._spares(key):
            self.special[key] = None
            return
        if self._identity.search(key):
            self.identities.add(key)
        elif self._identifier.search(key):
            self.special[key] = None
        if self._texts.redact(key, self._widest):
            self.dirty.add(key)
        elif key not in self.special and not self._no_label.search(key):
            label = label_of(key)
            if label and self._is_context(label):
                self.special[key] = label

    def _is_context(self, label: str) -> bool:
        """Whether some rule reads a label in front of a value."""
        finder = self._texts.finder
        alone = set(finder.touched(list(_BEGINNINGS)))
        beginnings = [text for index, text in enumerate(_BEGINNINGS) if index not in alone]
        return finder.is_context(label) or bool(finder.touched([label + text for text in beginnings]))
