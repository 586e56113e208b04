"""A table of the operator's in the form of LiteLLM's `model_prices_and_context_window.json`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import StartError
from processors.gen_ai_cost.book import Found
from processors.gen_ai_cost.names import Ident, candidates, identify, names, squash
from processors.gen_ai_cost.rates import Price, Rates, Schedule

# https://docs.litellm.ai/docs/proxy/custom_pricing: costs are USD per single token.
_KINDS: Final[Mapping[str, str]] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "input_cost_per_token_cache_hit": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
# A price of a token or of a call; beyond it no cost of a call would be sure to be a number.
_MOST_USD: Final = 1e6
# Characters of a wrong value in an error.
_SHOWN: Final = 40
_REASONING: Final = "output_cost_per_reasoning_token"
_PER_REQUEST: Final = frozenset({"input_cost_per_request", "input_cost_per_query"})
_ANY_KIND: Final = "|".join(sorted(_KINDS, key=len, reverse=True))
_COST: Final = re.compile(rf"(?P<kind>{_ANY_KIND})(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<tier>[a-z]+))?")
_TIERS: Final = {"batches": "batch"}
# Entries that name no provider are for all.
_ANY: Final = "*"
_SAMPLE: Final = "sample_spec"
# Modes whose calls are billed by input alone.
_INPUT_ONLY: Final = frozenset({"embedding", "rerank", "moderation"})


class LiteLLMTable:
    """Prices of a file in LiteLLM's form. `skipped` counts the entries that have no price per token, by reason."""

    def __init__(self, path: str | Path) -> None:
        """Read the file.

        Raises:
            StartError: it cannot be read, or a cost in it is no number; says the file and the key.
        """
        self.path = Path(path)
        self.name = self.path.name
        self.skipped: Counter[str] = Counter()
        self._entries: dict[tuple[str, str], tuple[str, dict[str, Rates]]] = {}
        entries = _load(self.path)
        # Keys of regions and zones come to the same id as the plain key: the shortest has the id, the others their own.
        self._read_entries: list[tuple[str, str, dict[str, Rates]]] = []
        for key in sorted(entries, key=len):
            self._add(key, entries[key])
        self._schedule = lru_cache(maxsize=None)(_schedule)

    def __len__(self) -> int:
        """How many ids have a price."""
        return len(self._entries)

    def entries(self) -> Iterator[tuple[str, str, Mapping[str, Rates]]]:
        """All that has a price: (key, provider, rates by service tier), shorter keys first."""
        yield from self._read_entries

    def find(self, ident: Ident, tier: str) -> Found | None:
        """The price of a model; the id as it came is asked before what names make of it."""
        known = names().providers.get(ident.provider)
        forms = [ident.raw_model.strip().lower(), *candidates(known, ident.model)]
        places = (ident.provider or squash(ident.raw_provider), known.like if known else "", _ANY)
        for provider in filter(None, places):
            for form in forms:
                entry = self._entries.get((provider, form))
                if entry is not None:
                    return self._found(*entry, tier)
        return None

    def _found(self, key: str, rates: Mapping[str, Rates], tier: str) -> Found | None:
        if tier not in rates:
            return None
        schedule = self._schedule(f"{key}+{tier}@{self.name}" if tier else f"{key}@{self.name}", rates[tier])
        return Found(schedule, (f"{self.name}: key {key!r}",))

    def _add(self, key: str, entry: Any) -> None:
        if not isinstance(entry, dict):
            raise StartError(f"{self.path}: {key!r} is no object; LiteLLM's form has an object of costs for each model")
        try:
            rates = _rates(entry)
        except _Unusable as reason:
            self.skipped[str(reason)] += 1
            return
        except ValueError as error:
            raise StartError(f"{self.path}: {key!r}: {error}") from error
        label = str(entry.get("litellm_provider") or "")
        provider = _labels().get(label.lower(), names().provider(label))
        self._read_entries.append((key, provider, rates))
        ident = identify(provider or label, key)
        place = ident.provider or squash(label) if label else _ANY
        for model in (key, key.removeprefix(f"{label}/"), ident.model):
            self._entries.setdefault((place, model.lower()), (key, rates))


class _Unusable(Exception):  # noqa: N818 - an outcome with its reason
    """An entry whose calls cannot be priced by tokens and requests; the text is the reason."""


def _rates(entry: Mapping[str, Any]) -> dict[str, Rates]:
    """The rates of an entry by service tier.

    Raises:
        _Unusable: it is paid otherwise.
        ValueError: a cost is no number; names its key.
    """
    costs = dict(_costs(entry))
    reasoning = costs.pop(_REASONING, None)
    if reasoning is not None and reasoning != costs.get("output_cost_per_token"):
        raise _Unusable("reasoning tokens at another price")
    if "off_peak_pricing" in entry:
        raise _Unusable("prices by hours and weekdays")
    prices: dict[str, dict[str, Any]] = {"": {}} | _prices(costs)
    standard = prices[""]
    if not standard.keys() & {"input", "output"} and not costs.keys() & _PER_REQUEST:
        raise _Unusable("no price per token or request")
    if not standard.keys() & {"input", "output"}:
        # What is paid by the call has tokens that cost nothing more.
        standard |= {"input": Price(0.0), "output": Price(0.0)}
    if str(entry.get("mode")) in _INPUT_ONLY:
        standard.setdefault("output", Price(0.0))
    per_request = sum(costs[name] for name in _PER_REQUEST & costs.keys())
    return {
        tier: Rates(**standard | _with_sizes(changes, standard), per_request_usd=per_request)
        for tier, changes in prices.items()
    }


def _with_sizes(changes: Mapping[str, Price], standard: Mapping[str, Price]) -> dict[str, Price]:
    """A tier's prices; one that says nothing of large requests stays in relation to the standard price there."""
    return {
        kind: usual.scaled(price.base / usual.base)
        if (usual := standard.get(kind)) is not None and usual.starts and usual.base and not price.starts
        else price
        for kind, price in changes.items()
    }


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_USD:
        raise ValueError(f"{name!r} must be a number of USD from 0 to {_MOST_USD:g}, and is {repr(value)[:_SHOWN]}")
    return float(value)


def _load(path: Path) -> dict[str, Any]:
    try:
        entries = orjson.loads(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path}: the price table cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise StartError(f"{path}: the price table is no JSON: {error}") from error
    if not isinstance(entries, dict):
        raise StartError(f"{path}: the price table is no object; LiteLLM's form has model ids as keys")
    entries.pop(_SAMPLE, None)
    return entries


def _costs(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The costs of an entry that we can use, tiers by size of request (`tiered_pricing`) as if written out."""
    for name, value in entry.items():
        if value is not None and (_COST.fullmatch(name) or name in _PER_REQUEST or name == _REASONING):
            yield name, _number(name, value)
    for start, part in _sizes(entry.get("tiered_pricing") or []):
        suffix = f"_above_{start // 1000}k_tokens" if start else ""
        yield from ((name if name == _REASONING else f"{name}{suffix}", value) for name, value in _costs(part))


def _sizes(tiers: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Parts of `tiered_pricing`: (from how many tokens, costs)."""
    if not isinstance(tiers, list):
        raise ValueError(f"'tiered_pricing' must be a list and is {tiers!r}")  # noqa: TRY004 - one kind of error here
    for part in tiers:
        match part:
            case {"range": [int() | float() as start, *_]} if start % 1000 == 0:
                yield int(start), part
            case _:
                raise _Unusable("tiers that are not by thousands of tokens")


def _prices(costs: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Service tier -> kind of token -> price."""
    bases: dict[tuple[str, str], float] = {}
    steps: dict[tuple[str, str], dict[int, float]] = {}
    for name, cost in costs.items():
        match = _COST.fullmatch(name)
        if match is None:
            continue
        tier = _TIERS.get(match["tier"], match["tier"]) if match["tier"] else ""
        place = (tier, _KINDS[match["kind"]])
        if match["thousands"]:
            steps.setdefault(place, {})[int(match["thousands"]) * 1000] = cost
        else:
            bases[place] = cost
    prices: dict[str, dict[str, Any]] = {}
    for (tier, kind), base in bases.items():
        above = sorted(steps.get((tier, kind), {}).items())
        price = Price(base, tuple(start for start, _ in above), tuple(cost for _, cost in above))
        prices.setdefault(tier, {})[kind] = price
    return prices


def _schedule(price_id: str, rates: Rates) -> Schedule:
    return Schedule(price_id, ((rates,),))


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    """LiteLLM's labels of providers, and whose they are."""
    return {label: provider.name for provider in names().providers.values() for label in provider.litellm}
