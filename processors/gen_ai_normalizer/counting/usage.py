"""Token accounting: input includes what was read from and written to a cache, output includes reasoning.

Source of the form: OpenTelemetry GenAI conventions, `gen_ai.usage.*` (1.40 on). Whether a source counts that way is
proved by its own sum where it gives one, else it is known per dialect and provider.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from processors.gen_ai_normalizer.knowledge.vocabulary import providers
from processors.gen_ai_normalizer.reading.documents import Documents, Source
from processors.gen_ai_normalizer.reading.values import read_tokens


@dataclass(frozen=True, slots=True)
class UsageNames:
    """What the counts are called in the profile."""

    provider: str = "gen_ai.provider.name"
    input: str = "gen_ai.usage.input_tokens"
    output: str = "gen_ai.usage.output_tokens"
    cache_read: str = "gen_ai.usage.cache_read.input_tokens"
    cache_write: str = "gen_ai.usage.cache_creation.input_tokens"
    cache_write_1h: str = "penstock.gen_ai.usage.cache_creation_1h.input_tokens"
    reasoning: str = "gen_ai.usage.reasoning.output_tokens"
    audio_input: str = "gen_ai.usage.audio.input_tokens"
    audio_output: str = "gen_ai.usage.audio.output_tokens"

    @property
    def details(self) -> tuple[str, ...]:
        """Counts of parts of the input and the output."""
        return (
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
            self.audio_input,
            self.audio_output,
        )


@dataclass(frozen=True, slots=True)
class Beside:
    """How many tokens stand beside the input and beside the output, not in them."""

    input: int = 0
    output: int = 0


_MODELS: Final = ("gen_ai.response.model", "gen_ai.request.model")


@dataclass(frozen=True, slots=True)
class Accounting:
    """How one kind of record counts its tokens."""

    names: UsageNames
    details: tuple[str, ...]
    """Those counts of parts that a record may have."""
    totals: tuple[Source, ...] = ()
    excludes_cache: frozenset[str] = frozenset()
    excludes_reasoning: frozenset[str] = frozenset()
    sum_holds_reasoning: frozenset[str] = frozenset()
    zero_is_unknown: tuple[str, ...] = ()
    details_are_separate: bool = False
    raw_keys: Mapping[str, str] = field(default_factory=dict)
    """Counts that would be lost when they are raised, since no other attribute has them, and where they are kept."""

    def settle(self, attributes: MutableMapping[str, Any], documents: Documents) -> None:
        """Bring the counts of a record, already under their conventions' names, to the conventions' sums."""
        names = self.names
        for key in self.zero_is_unknown:
            if attributes.get(key) == 0:
                del attributes[key]
        counted_in, counted_out = _count(attributes, names.input), _count(attributes, names.output)
        if counted_in is None and counted_out is None:
            return
        if not counted_in and not counted_out:
            # No call has an empty prompt: zero means that the source did not know.
            attributes.pop(names.input, None)
            attributes.pop(names.output, None)
            return
        if counted_in != 0 and not self._has_details(attributes):
            return
        self._join_cache_writes(attributes)
        total = next((found for source in self.totals if (found := read_tokens(documents.read(source)))), None)
        beside = self._beside(attributes, counted_in or 0, counted_out or 0, total)
        if counted_in is not None and beside.input:
            self._raise(attributes, names.input, counted_in + beside.input)
        elif counted_in == 0:
            del attributes[names.input]
        if beside.output and (counted_out is not None or self._holds_reasoning(attributes)):
            self._raise(attributes, names.output, (counted_out or 0) + beside.output)

    def _has_details(self, attributes: MutableMapping[str, Any]) -> bool:
        """Whether there is anything that may stand beside the counts; most calls have but the two."""
        for key in self.details:
            if attributes.get(key):
                return True
        return bool(self.sum_holds_reasoning) and self._holds_reasoning(attributes)

    def _join_cache_writes(self, attributes: MutableMapping[str, Any]) -> None:
        """What was written for an hour is part of what was written: a smaller number was of five minutes alone."""
        names = self.names
        written, for_an_hour = _count(attributes, names.cache_write) or 0, _count(attributes, names.cache_write_1h) or 0
        if for_an_hour > written:
            attributes[names.cache_write] = written + for_an_hour

    def _beside(
        self, attributes: MutableMapping[str, Any], counted_in: int, counted_out: int, total: int | None
    ) -> Beside:
        names = self.names
        read, written = _count(attributes, names.cache_read) or 0, _count(attributes, names.cache_write) or 0
        cached, reasoning = read + written, _count(attributes, names.reasoning) or 0
        audio_in, audio_out = _count(attributes, names.audio_input) or 0, _count(attributes, names.audio_output) or 0
        provider = self._provider(attributes)
        missing = (total or 0) - counted_in - counted_out
        proved = _proved(
            missing, {read, written, cached} - {0}, reasoning, reasoning_first=provider in self.excludes_reasoning
        )
        if proved is not None:
            # More of a part than of the whole is proof, too.
            rest_in = cached if cached > counted_in + proved.input else proved.input
            return Beside(rest_in, reasoning if reasoning > counted_out + proved.output else proved.output)
        # A sum that is the same without them says that details were not subtracted.
        is_apart = self.details_are_separate and missing != 0
        takes_cache = cached > counted_in or is_apart or provider in self.excludes_cache
        takes_reasoning = reasoning > counted_out or is_apart or provider in self.excludes_reasoning
        if not reasoning and missing > 0 and counted_in and self._holds_reasoning(attributes):
            return Beside(cached if takes_cache else 0, missing)
        return Beside(
            (cached if takes_cache else 0) + (audio_in if is_apart else 0),
            (reasoning if takes_reasoning else 0) + (audio_out if is_apart else 0),
        )

    def _provider(self, attributes: MutableMapping[str, Any]) -> str | None:
        """Whose counts they are: the maker of the model where nobody says who served it."""
        found = attributes.get(self.names.provider)
        if isinstance(found, str):
            return found
        makers = (providers().of_family(model) for key in _MODELS if isinstance(model := attributes.get(key), str))
        return next(filter(None, makers), None)

    def _holds_reasoning(self, attributes: MutableMapping[str, Any]) -> bool:
        return attributes.get(self.names.provider) in self.sum_holds_reasoning

    def _raise(self, attributes: MutableMapping[str, Any], key: str, count: int) -> None:
        raw_key = self.raw_keys.get(key)
        if raw_key is not None and key in attributes:
            attributes[raw_key] = attributes[key]
        attributes[key] = count


def _proved(missing: int, cached: set[int], reasoning: int, *, reasoning_first: bool) -> Beside | None:
    """What of the details makes up the difference between the sum and its parts; None where nothing does.

    That there is no difference proves nothing: libraries add up what they have, whatever it lacks.
    """
    if missing <= 0:
        return None
    if missing == reasoning and (reasoning_first or missing not in cached):
        return Beside(0, missing)
    if missing in cached:
        return Beside(missing, 0)
    return Beside(missing - reasoning, reasoning) if reasoning and missing - reasoning in cached else None


def _count(attributes: MutableMapping[str, Any], key: str) -> int | None:
    value = attributes.get(key)
    return value if value.__class__ is int and value >= 0 else None
