"""The conventions' words for providers, operations and finish reasons, and the spellings that mean them."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final

from processors.gen_ai_normalizer.knowledge.rules import load_table


def _spell(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")


_LONGEST_NAME: Final = 6
"""Words between dots of a provider's name."""


_LONGEST_WORD: Final = 128
"""A spelling of a provider is shorter by far."""
_LONGEST_HOST: Final = 253
"""Source: RFC 1035, 2.3.4: 255 octets with the lengths of its labels."""
_REMEMBERED: Final = 1024


class Providers:
    """Finds the conventions' name of a provider, by its spelling, host name or model id."""

    def __init__(self) -> None:
        """Read the table."""
        table = load_table("providers")
        self._names: dict[str, str] = {_spell(word): name for name, words in table["names"].items() for word in words}
        self.exact = frozenset(table["names"])
        self._frameworks = frozenset(table["not_providers"])
        self._hosts: dict[str, str] = table["hosts"]
        self._ids = _starts(table["ids"])
        self._families = _starts(table["families"])
        self._model_is_the_asked = frozenset(table["answers_name_no_model"])
        # The same few words come with every call.
        self._named = lru_cache(maxsize=_REMEMBERED)(self._find_name)
        self._served = lru_cache(maxsize=_REMEMBERED)(self._find_host)
        self._no_alias = re.compile("|".join(table["no_aliases"]))

    def name(self, word: str) -> str | None:
        """The provider a spelling means; unknown words are kept, None for words that name no provider."""
        if word in self.exact or len(word) > _LONGEST_WORD:
            return word
        return self._named(word)

    def _find_name(self, word: str) -> str | None:
        spelling = _spell(word)
        found = self._longest(spelling)
        if found is not None:
            return found
        return None if not spelling or spelling in self._frameworks else word

    def _longest(self, spelling: str) -> str | None:
        """The provider of `google.vertex.chat`, with what is behind the dots as long as that is known."""
        steps = spelling.split(".", _LONGEST_NAME)[:_LONGEST_NAME]
        tried = (self._names.get(".".join(steps[:end])) for end in range(len(steps), 0, -1))
        return next(filter(None, tried), None)

    def known(self, word: str) -> str | None:
        """As `name`, but None for a word that is in no table."""
        return self._names.get(_spell(word))

    def of_model(self, model: str) -> str | None:
        """The provider that alone writes ids like this one; of `vendor/model` the vendor."""
        vendor, slash, _ = model.partition("/")
        if slash and (known := self.known(vendor)):
            return known
        return _of_start(self._ids, model)

    def of_family(self, model: str) -> str | None:
        """The maker of the family of models that this one belongs to."""
        return _of_start(self._families, model)

    def answers_as_asked(self, provider: object, model: str) -> bool:
        """Whether the model that answers is the one asked for: the API names no other, or the id is no alias."""
        return provider in self._model_is_the_asked or self._no_alias.fullmatch(model) is not None

    def of_host(self, host: str) -> str | None:
        """The provider that serves a host name."""
        return self._served(host) if len(host) <= _LONGEST_HOST else None

    def _find_host(self, host: str) -> str | None:
        return next((name for end, name in self._hosts.items() if host == end or host.endswith("." + end)), None)


def _starts(table: list[list[Any]]) -> list[tuple[tuple[str, ...], str]]:
    return [(tuple(starts), name) for name, starts in table]


def _of_start(table: list[tuple[tuple[str, ...], str]], model: str) -> str | None:
    lowered = model.lower()
    return next((name for starts, name in table if lowered.startswith(starts)), None)


@cache
def providers() -> Providers:
    """The providers' table, read once."""
    return Providers()


def _inverted(table: dict[str, list[str]]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in (name, *words)}


@cache
def operation_names() -> dict[str, str]:
    """Operation names of the conventions by what others call them."""
    return _inverted(load_table("operations")["names"])


@cache
def operation_roles() -> dict[str, str]:
    """The role of a span by its operation."""
    roles: dict[str, str] = load_table("operations")["roles"]
    return roles


@cache
def known_reasons() -> frozenset[str]:
    """The conventions' own words."""
    return frozenset(finish_reasons().values())


@cache
def finish_reasons() -> dict[str, str]:
    """Finish reasons of the conventions by lower-case spelling."""
    return _inverted(load_table("finish_reasons"))


_LONGEST_REASON: Final = 64


def finish_reason(word: object) -> str | None:
    """The conventions' word for why a model stopped; other words stay as they are, None for what is no word."""
    if not isinstance(word, str) or not word or len(word) > _LONGEST_REASON:
        return None
    return finish_reasons().get(word.lower(), word)
