"""Versions of the conventions: what an attribute is called in each, and what is written beside the chosen one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.knowledge.rules import load_table

PROVIDER: Final = "gen_ai.provider.name"
PROFILES: Final = ("1.36", "1.41", "main")


@dataclass(frozen=True, slots=True)
class Profile:
    """One version of the conventions, by the differences from 1.41."""

    names: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, version: str) -> Profile:
        """The profile of a version in `PROFILES`."""
        return cls(**load_table("profiles")[version])

    def name(self, target: str) -> str:
        """What an attribute of 1.41 is called here."""
        return self.names.get(target, target)


class Copy(NamedTuple):
    """An attribute that is written under a second name."""

    source: str
    target: str
    values: Mapping[str, str] | None
    """Values that are spelled another way there; None: all stay as they are."""

    def run(self, attributes: Attributes) -> None:
        """Write the second name where the first is there."""
        value = attributes.get(self.source)
        if value is None:
            return
        if self.values is not None and isinstance(value, str):
            value = self.values.get(value, value)
        attributes[self.target] = value


def copies(chosen: str, others: Iterable[str]) -> tuple[Copy, ...]:
    """What to write so that readers of other versions find what records in the chosen one say."""
    versions = [version for version in dict.fromkeys(others) if version != chosen]
    if not versions:
        return ()
    own = Profile.load(chosen)
    found = [copy for version in versions for copy in _between(own, Profile.load(version))]
    found += [
        Copy(own.name(target), alias, None)
        for version in (chosen, *versions)
        for target, alias in Profile.load(version).also.items()
    ]
    unique = {copy.target: copy for copy in reversed(found)}
    return tuple(reversed(unique.values()))


def _between(own: Profile, other: Profile) -> Iterator[Copy]:
    for target in dict.fromkeys([*own.names, *other.names]):
        source, copied = own.name(target), other.name(target)
        if source != copied:
            yield Copy(source, copied, _spellings(own, other) if target == PROVIDER else None)


def _spellings(own: Profile, other: Profile) -> dict[str, str]:
    """Names of providers there by their names here."""
    return {
        own.providers.get(name, name): other.providers.get(name, name) for name in {**own.providers, **other.providers}
    }
