"""Names of providers, models and service tiers as telemetry spells them, brought to one spelling.

The rules are data: `names.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from processors.gen_ai_cost.data import load

PREPAID: Final = frozenset({"provisioned_throughput"})
"""Service tiers that are paid in advance: their calls have no price of their own."""
_BLANKS: Final = str.maketrans("", "", "-_./ ")
# Rules feed each other (URL, path, publisher, prefix); a longer chain is no id.
_MOST_REWRITES: Final = 8
# Several tables are asked about the same names, one after the other.
_RECENT: Final = 128
_DATE: Final = re.compile(
    r"^(?P<before>.*?)-(?P<year>20\d\d)(?P<dash>-?)(?P<month>[01]\d)(?P=dash)(?P<day>[0-3]\d)(?P<after>.*)$"
)
_AT: Final = re.compile(r"@(?P<version>[\w-]+)$")


@dataclass(frozen=True, slots=True)
class Ident:
    """What is asked for, brought to one spelling; `steps` says how, a line each."""

    provider: str
    """The conventions' name where there is one (`azure.ai.openai`, `aws.bedrock`), `""` when it is not known."""
    model: str
    """The provider's own id, without resource path and gateway's prefix; case as it came."""
    raw_provider: str
    raw_model: str
    steps: tuple[str, ...] = ()
    unpriced: str = ""
    """Why no public table has a price (`self_hosted`, `custom_model`, ...), `""` where one may."""


@dataclass(frozen=True, slots=True, eq=False)
class ProviderNames:
    """One provider of `names.yaml`."""

    name: str
    table: str = ""
    vendors: frozenset[str] = frozenset()
    litellm: tuple[str, ...] = ()
    is_exact: bool = False
    also: tuple[tuple[re.Pattern[str], str], ...] = ()
    like: str = ""
    """A provider whose price holds where a table has none for this one."""
    maker_tiers: frozenset[str] = frozenset()
    """Service tiers at which models of another vendor cost what that vendor takes."""
    free: str = ""
    """How its ids end that cost nothing."""


@dataclass(frozen=True, slots=True)
class _Rule:
    match: re.Pattern[str]
    to: str = ""
    provider: str = ""
    only_for: frozenset[str] | None = None
    unpriced: str = ""
    why: str = ""

    def fits(self, provider: str, model: str) -> re.Match[str] | None:
        return self.match.match(model) if self.only_for is None or provider in self.only_for else None


class Names:
    """The data file `names.yaml`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Index the spellings."""
        self.providers = {name: _provider(name, entry) for name, entry in data["providers"].items()}
        self.self_hosted = frozenset(map(squash, data["self_hosted"]))
        self.tiers: dict[str, str] = {
            spelling: tier for tier, spellings in data["tiers"].items() for spelling in spellings
        }
        self._spellings: dict[str, str] = {}
        self._prefixes = {prefix: squash(prefix) for prefix in data["self_hosted"]}
        for name, entry in data["providers"].items():
            spellings = (name, *entry.get("spellings", ()), *entry.get("litellm", ()))
            self._spellings.update((squash(spelling), name) for spelling in spellings)
            self._prefixes.update(dict.fromkeys(entry.get("prefixes", ()), name))
        self._says_nothing = frozenset(map(squash, data["says_nothing"]))
        self._protocols = frozenset(data["protocols"])
        self._authors = frozenset(data["authors"])
        self._rules = [_rule(entry) for entry in data["models"]]
        self._derive = [(re.compile(entry["match"]), entry["provider"]) for entry in data["derive"]]

    def provider(self, raw: str) -> str:
        """The provider's one name; `""` for none, for frameworks and for names that nobody knows.

        A dotted name is tried without its last parts: SDKs append the API (`openai.chat`, `anthropic.messages`). Before
        a slash stands a gateway (`gateway/openai`).
        """
        name = raw.strip().lower().rpartition("/")[2]
        while name:
            squashed = squash(name)
            if squashed in self.self_hosted:
                return squashed
            if squashed in self._spellings:
                return self._spellings[squashed]
            name = name.rpartition(".")[0]
        return ""

    def ident(self, raw_provider: str, raw_model: str) -> Ident:
        """Bring a provider and a model to one spelling."""
        return _Reading(self, raw_provider, raw_model).ident()

    def is_silent(self, raw: str) -> bool:
        """Whether a provider's name says nothing of where a call went."""
        return squash(raw.strip().lower()) in self._says_nothing or not raw.strip()

    def rewrite(self, provider: str, model: str) -> tuple[_Rule, re.Match[str]] | None:
        """The first rule for model ids that fits."""
        return next(((rule, found) for rule in self._rules if (found := rule.fits(provider, model))), None)

    def route(self, provider: str, model: str) -> tuple[str, str] | None:
        """What a gateway's prefix of the id says: (provider, the rest); None where there is no such prefix."""
        first, slash, rest = model.partition("/")
        named = self._prefixes.get(first.lower()) if slash and rest else None
        if named is None:
            return None
        is_route = not provider or provider in self._protocols
        if named == provider or (is_route and first.lower() not in self._authors):
            return named, rest
        return None

    def derived(self, provider: str, model: str) -> tuple[str, str] | None:
        """The vendor that alone sells such ids and the id without its author: (provider, model)."""
        if provider and provider not in self._protocols:
            return None
        author, slash, rest = model.partition("/")
        bare = rest if slash and author.lower() in self._authors else model
        for pattern, name in self._derive:
            if pattern.match(bare.lower()):
                return name, bare
        return None


class _Reading:
    """One provider and model on their way to one spelling."""

    def __init__(self, names: Names, raw_provider: str, raw_model: str) -> None:
        self._names, self._raw = names, (raw_provider, raw_model)
        self._provider, self._model = names.provider(raw_provider), raw_model.strip()
        self._is_known = bool(self._provider) or names.is_silent(raw_provider)
        self._unpriced = ""
        self._steps: list[str] = []

    def ident(self) -> Ident:
        if self._provider and self._provider != self._raw[0]:
            self._steps.append(f"provider {self._raw[0]!r} is {self._provider}")
        if self._is_known:
            # A provider that nobody knows stays unknown, whatever its models are called.
            for _ in range(_MOST_REWRITES):
                if self._unpriced or not (self._rewrite() or self._route() or self._derive()):
                    break
        if not self._unpriced and self._provider in self._names.self_hosted:
            self._unpriced = "self_hosted"
        return Ident(self._provider, self._model, *self._raw, tuple(self._steps), self._unpriced)

    def _rewrite(self) -> bool:
        found = self._names.rewrite(self._provider, self._model)
        if found is None:
            return False
        rule, match = found
        self._provider = rule.provider or self._provider
        if rule.unpriced:
            self._unpriced = rule.unpriced
            self._steps.append(f"{self._model!r}: {rule.unpriced}")
        else:
            self._now(match.expand(rule.to), rule.why)
        return True

    def _route(self) -> bool:
        route = self._names.route(self._provider, self._model)
        if route is None:
            return False
        provider, rest = route
        self._now(rest, f"prefix of {provider}")
        self._provider = provider
        return True

    def _derive(self) -> bool:
        derived = self._names.derived(self._provider, self._model)
        if derived is None or derived == (self._provider, self._model):
            return False
        self._provider, model = derived
        self._steps.append(f"only {self._provider} sells {model!r}")
        self._model = model
        return True

    def _now(self, model: str, why: str) -> None:
        self._steps.append(f"{self._model!r} is {model!r}: {why}")
        self._model = model


def squash(name: str) -> str:
    """A name without what spellings differ in."""
    return name.strip().lower().translate(_BLANKS)


def candidates(provider: ProviderNames | None, model: str, *, undated: bool = False) -> Sequence[str]:
    """The id as it stands, then in other forms that mean the same model; in lower case.

    With `undated`, an id with a date is tried without it last: a snapshot that a table does not know yet.
    """
    known, last = _forms(provider, model)
    return known + last if undated else known


@lru_cache(maxsize=_RECENT)
def _forms(provider: ProviderNames | None, model: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The forms of an id, and those of them without its date that are not among these."""
    bare = model.lower()
    vendor, slash, rest = bare.partition("/")
    forms = [bare, rest] if slash and provider is not None and vendor in provider.vendors else [bare]
    is_tuned = bare.startswith("ft:")
    if is_tuned:
        # ft:<base model>:<organization>:<name>:<id>
        forms.append(":".join(bare.split(":")[:2]))
    dated = [(form, _dates(form)) for form in forms]
    last = [] if is_tuned else [other[-1] for _, other in dated if other]
    known = [name for form, other in dated for name in (form, *other[:-1])]
    patterns = provider.also if provider else ()
    also = [found.expand(to) for pattern, to in patterns for form in forms if (found := pattern.match(form))]
    every = dict.fromkeys((*known, *also))
    return tuple(every), tuple(name for name in last if name not in every)


def _dates(model: str) -> list[str]:
    """`-20251211`, `-2025-12-11` and `@20251211` mean the same day; last the id without its date. [] without one."""
    at = _AT.search(model)
    dashed = f"{model[: at.start()]}-{at['version']}" if at else model
    dated = _DATE.match(dashed)
    if dated:
        before, year, month, day, after = dated.group("before", "year", "month", "day", "after")
        return [
            dashed,
            f"{before}-{year}-{month}-{day}{after}",
            f"{before}-{year}{month}{day}{after}",
            f"{before}{after}",
        ]
    return [dashed, model[: at.start()]] if at else []


@lru_cache(maxsize=_RECENT)
def identify(provider: str, model: str) -> Ident:
    """Bring a provider and a model to one spelling."""
    return names().ident(provider, model)


def tier_of(raw: str) -> str:
    """A service tier's one name, `""` for the standard tier; a tier that nobody knows as it came, in lower case."""
    tier = raw.strip().lower()
    return names().tiers.get(tier, tier)


@cache
def names() -> Names:
    """The data file, read once."""
    return Names(load("names.yaml"))


def _provider(name: str, entry: Mapping[str, Any]) -> ProviderNames:
    return ProviderNames(
        name,
        table=entry.get("table", ""),
        vendors=frozenset(entry.get("vendors", ())),
        litellm=tuple(entry.get("litellm", ())),
        is_exact=bool(entry.get("exact")),
        also=tuple((re.compile(pattern), to) for pattern, to in entry.get("also", ())),
        like=entry.get("like", ""),
        maker_tiers=frozenset(entry.get("maker_tiers", ())),
        free=entry.get("free", ""),
    )


def _rule(entry: Mapping[str, Any]) -> _Rule:
    return _Rule(
        re.compile(entry["match"]),
        entry.get("to", ""),
        entry.get("provider", ""),
        frozenset(entry["for"]) if "for" in entry else None,
        entry.get("unpriced", ""),
        entry.get("why", ""),
    )
