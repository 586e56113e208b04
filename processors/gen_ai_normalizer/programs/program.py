"""What is to be done with records of one shape: compiled once, run for each record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pipeline.signals import Record, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.building.evaluations import BuildEvaluations
from processors.gen_ai_normalizer.building.events import MOVED_PREFIX, take_out
from processors.gen_ai_normalizer.counting.usage import Accounting
from processors.gen_ai_normalizer.knowledge.profiles import Copy
from processors.gen_ai_normalizer.knowledge.rules import NAME_KEY
from processors.gen_ai_normalizer.programs.custom import Mapped, map_events
from processors.gen_ai_normalizer.programs.derivation import Derivation
from processors.gen_ai_normalizer.programs.live import LiveFills
from processors.gen_ai_normalizer.programs.quick import Fits, Quick
from processors.gen_ai_normalizer.reading.beside import Beside
from processors.gen_ai_normalizer.reading.documents import Documents
from processors.gen_ai_normalizer.reading.values import Reader, never

STREAM_KEY: Final = "gen_ai.request.stream"


@dataclass(frozen=True, slots=True)
class Check:
    """A value that stands where it belongs, but not as it should."""

    key: str
    read: Reader
    goes: Callable[[Any], bool] = never
    """Whether a value that cannot be read must not stay."""
    fits: Fits | None = None
    """Whether a value is as it should be, where its type does not say it."""

    def run(self, attributes: Attributes, tally: Counter[str]) -> None:
        """Mend a value; one that cannot be read stays as it is, unless it must go."""
        old = attributes[self.key]
        value = self.read(old)
        if value is None and self.goes(old):
            tally["invalid"] += 1
            del attributes[self.key]
        elif value is None:
            tally["unreadable"] += 1
        elif value is not old and (value != old or type(value) is not type(old)):
            tally["mended"] += 1
            attributes[self.key] = value


class Build(Protocol):
    """Builds messages or tool definitions as JSON text into one target."""

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the target where the record has a source for it."""


@dataclass(frozen=True, slots=True)
class Program:
    """The steps for records of one shape (dialects, keys, kind of record), in their order."""

    dialect: str
    role: str | None
    yields_to: str
    """The scope of a library whose report of the call goes before."""
    quick: Quick | None
    """Sees the records for which there is nothing to do; None where there may always be something."""
    operation_key: str
    operation: str | None
    checks: tuple[tuple[str, type, Container[Any] | None, Check], ...]
    """Key, type, the values that need no look (None: all), and what to do with others."""
    texts: tuple[tuple[str, Callable[[Any], bool]], ...]
    """Keys that hold messages in the conventions' place, each with whether a value has the conventions' form."""
    reads_name: bool
    """Whether a value may be the name of the span."""
    rebuilds: bool
    """Whether the steps below have work to do even where `texts` are as they should be."""
    placeholders: frozenset[str]
    """Words that mean "not known"."""
    texts_of_its_own: tuple[str, ...]
    """Keys where a placeholder may stand."""
    echoes: tuple[tuple[str, str], ...]
    """Keys, each with the key whose value may have been copied into it."""
    fills: LiveFills
    builds: tuple[Build, ...]
    accounting: Accounting | None
    derivation: Derivation | None
    provider: str
    """The attribute of the provider."""
    provider_names: Mapping[str, str]
    """Providers that the profile calls by another name."""
    evaluations: BuildEvaluations | None
    event_mappings: Mapping[str, Mapped]
    """The user's own mappings, for span events."""
    copies: tuple[Copy, ...]
    """What is written under second names."""
    originals: dict[str, tuple[str, bool]]
    """Attributes that are taken out, each with the target that must be there for it (nothing is lost), and whether it
    moves below another name."""
    takes_out_events: bool
    moves_events: bool
    stream_events: frozenset[str]
    """Span events that only a stream has."""

    def run(self, record: Record, attributes: Attributes, beside: Beside | None, tally: Counter[str]) -> None:
        """Bring one record to the conventions' vocabulary."""
        if self.reads_name and isinstance(record, Span):
            beside = beside or Beside()
            beside.values[NAME_KEY] = record.pb.name
        for key, kind, words, check in self.checks:
            value = attributes[key]
            if type(value) is not kind or (words is not None and value not in words):
                check.run(attributes, tally)
        for key in self.texts_of_its_own:
            value = attributes.get(key)
            if value.__class__ is str and value in self.placeholders:
                del attributes[key]
        if self.rebuilds or not self._has_texts(attributes):
            self._rebuild(attributes, beside, tally)
        if attributes.get(self.operation_key) != self.operation:
            self._say_operation(attributes)
        if self.derivation is not None and not self.derivation.is_done(attributes):
            self.derivation.run(attributes, tally)
        if self.provider_names:
            self._say_provider(attributes)
        if self.evaluations is not None:
            self.evaluations.run(record, attributes, Documents(attributes, beside), tally)
        if self.event_mappings and isinstance(record, Span):
            map_events(record, self.event_mappings, MOVED_PREFIX)
        if self.originals or self.takes_out_events:
            self._take_out(record, attributes, beside)
        for copy in self.copies:
            copy.run(attributes)

    def _has_texts(self, attributes: Attributes) -> bool:
        """Whether messages look like those of the conventions, which need no look inside."""
        return all(fits(attributes[key]) for key, fits in self.texts)

    def _rebuild(self, attributes: Attributes, beside: Beside | None, tally: Counter[str]) -> None:
        for target, source in self.echoes:
            if attributes.get(target) == attributes.get(source):
                attributes.pop(target, None)
        documents = Documents(attributes, beside)
        self.fills.run(attributes, documents)
        for build in self.builds:
            build.run(attributes, documents, tally)
        if self.derivation is not None:
            # Before the counts: whether they include what was cached depends on the provider.
            self.derivation.run(attributes, tally)
        if self.accounting is not None:
            self.accounting.settle(attributes, documents)

    def _say_operation(self, attributes: Attributes) -> None:
        if self.operation is None:
            del attributes[self.operation_key]
        else:
            attributes[self.operation_key] = self.operation

    def _say_provider(self, attributes: Attributes) -> None:
        name = attributes.get(self.provider)
        if isinstance(name, str) and name in self.provider_names:
            attributes[self.provider] = self.provider_names[name]

    def _take_out(self, record: Record, attributes: Attributes, beside: Beside | None) -> None:
        for key, (target, moves) in self.originals.items():
            if key in attributes and _is_there(target, attributes):
                value = attributes.pop(key)
                if moves:
                    attributes[MOVED_PREFIX + key] = value
        if beside is not None and self.takes_out_events:
            take_out(record, beside, move=self.moves_events)


def _is_there(target: str, attributes: Attributes) -> bool:
    """Whether a target has a value; one that ends with a dot is any attribute below it."""
    if target.endswith("."):
        return any(key.startswith(target) for key in attributes)
    return target in attributes
