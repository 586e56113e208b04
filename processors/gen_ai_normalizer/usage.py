"""Token accounting: input includes what was read from and written to a cache, output includes reasoning.

Source of the form: OpenTelemetry GenAI conventions, `gen_ai.usage.*` (1.40 on). Whether a source counts that way is
proved by its own sum where it gives one, else it is known per dialect and provider.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from processors.gen_ai_normalizer.documents import Documents, Source
from processors.gen_ai_normalizer.values import read_tokens


@dataclass(frozen=True, slots=True)
class UsageNames:
    """What the counts are called in the profile."""

    provider: str = "gen_ai.provider.name"
    input: str = "gen_ai.usage.input_tokens"
    output: str = "gen_ai.usage.output_tokens"
    cache_read: str = "gen_ai.usage.cache_read.input_tokens"
    cache_write: str = "gen_ai.usage.cache_creation.input_tokens"
    reasoning: str = "gen_ai.usage.reasoning.output_tokens"
    audio_input: str = "gen_ai.usage.audio.input_tokens"
    audio_output: str = "gen_ai.usage.audio.output_tokens"


@dataclass(frozen=True, slots=True)
class Accounting:
    """How one kind of record counts its tokens."""

    names: UsageNames
    totals: tuple[Source, ...] = ()
    excludes_cache: frozenset[str] = frozenset()
    excludes_reasoning: frozenset[str] = frozenset()
    sum_holds_reasoning: frozenset[str] = frozenset()
    zero_is_unknown: tuple[str, ...] = ()
    details_are_separate: bool = False

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
            # No call has an empty prompt: both at zero means that the source did not know.
            attributes.pop(names.input, None)
            attributes.pop(names.output, None)
            return
        total = next((found for source in self.totals if (found := read_tokens(documents.read(source)))), None)
        self._settle_input(attributes, counted_in, counted_out or 0, total)
        self._settle_output(attributes, counted_in or 0, counted_out, total)

    def _settle_input(
        self, attributes: MutableMapping[str, Any], counted: int | None, output: int, total: int | None
    ) -> None:
        names = self.names
        cached = (_count(attributes, names.cache_read) or 0) + (_count(attributes, names.cache_write) or 0)
        apart = cached + (_count(attributes, names.audio_input) or 0) if self.details_are_separate else cached
        if counted is None or not apart:
            return
        proved = cached > counted or total == counted + cached + output
        if proved or self._is_apart(counted + output, total):
            attributes[names.input] = counted + apart
        elif attributes.get(names.provider) in self.excludes_cache:
            attributes[names.input] = counted + cached

    def _settle_output(
        self, attributes: MutableMapping[str, Any], counted_in: int, counted: int | None, total: int | None
    ) -> None:
        names = self.names
        reasoning = _count(attributes, names.reasoning) or 0
        apart = reasoning + (_count(attributes, names.audio_output) or 0) if self.details_are_separate else reasoning
        if not apart and counted_in and attributes.get(names.provider) in self.sum_holds_reasoning:
            rest = (total or 0) - counted_in
            if rest > (counted or 0):
                attributes[names.output] = rest
        if counted is None or not apart:
            return
        proved = reasoning > counted or total == counted_in + counted + reasoning
        if proved or self._is_apart(counted_in + counted, total):
            attributes[names.output] = counted + apart
        elif attributes.get(names.provider) in self.excludes_reasoning:
            attributes[names.output] = counted + reasoning

    def _is_apart(self, counted: int, total: int | None) -> bool:
        """Whether details were subtracted: a sum that is the same without them says that they were not."""
        return self.details_are_separate and total != counted


def _count(attributes: MutableMapping[str, Any], key: str) -> int | None:
    value = attributes.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
