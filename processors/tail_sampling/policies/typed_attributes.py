"""`string_attribute`, `numeric_attribute`, `boolean_attribute`: traces by a value on a span or its resource."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, InvalidKey, Pattern
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import NEVER, Policy, Setting, SpanFacts, TraceFacts

_DEFAULT_CACHE_SIZE: Final = 128
_MOST_REMEMBERED_CHARS: Final = 1024
_KEY = "The attribute, of a span or of its resource."
_INVERT = "Keep the traces in which nothing matches instead."
Test = Callable[[Any], bool]


@dataclass(frozen=True)
class AnyValue(ABC):
    """Whether some span or its resource has a value of `key` that matches."""

    key: str
    keys: frozenset[str] = field(init=False, compare=False, repr=False)
    _matches: Test = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Make the test once."""
        object.__setattr__(self, "keys", frozenset((self.key,)))
        object.__setattr__(self, "_matches", self._test())

    @abstractmethod
    def _test(self) -> Test:
        """Whether a value, of whatever type, matches."""

    def begin(self) -> bool:
        """Nothing has matched yet."""
        return False

    def add(self, so_far: bool, span: SpanFacts) -> bool:
        """Whether something has matched by now."""
        if so_far:
            return True
        matches, key = self._matches, self.key
        value = span.attributes.get(key)
        if value is not None and matches(value):
            return True
        value = span.resource.get(key)
        return value is not None and matches(value)


@dataclass(frozen=True)
class AnyString(AnyValue):
    """A text, not empty, that is one of `values`, or in which one of them is found as an expression of RE2."""

    values: tuple[str, ...]
    cache_size: int | None = None
    """Texts whose result is remembered, where values are expressions; None: they are plain texts."""

    def _test(self) -> Test:
        if self.cache_size is None:
            wanted = frozenset(self.values)
            return lambda value: type(value) is str and value in wanted and value != ""
        searches = [Pattern(source).regex.search for source in self.values]

        def find(text: str) -> bool:
            return any(search(text) for search in searches)

        found = lru_cache(self.cache_size)(find)

        def matches(value: Any) -> bool:
            if type(value) is not str or value == "":
                return False
            # Long texts hardly come again, and would fill the memory.
            return found(value) if len(value) <= _MOST_REMEMBERED_CHARS else find(value)

        return matches


@dataclass(frozen=True)
class AnyInt(AnyValue):
    """A whole number between two bounds, both inclusive; None: no bound."""

    low: int | None
    high: int | None

    def _test(self) -> Test:
        low, high = self.low, self.high
        return lambda value: type(value) is int and (low is None or value >= low) and (high is None or value <= high)


@dataclass(frozen=True)
class AnyBool(AnyValue):
    """A truth value."""

    value: bool

    def _test(self) -> Test:
        wanted = self.value
        return lambda value: value is wanted


class StringAttributeConfig(ConfigModel):
    """Which texts."""

    key: str = Field(min_length=1, description=_KEY)
    values: tuple[str, ...] = Field((), description="Texts, or RE2 expressions, one of which is to match.")
    enabled_regex_matching: bool = Field(False, description="Values are expressions that are found anywhere in a text.")
    cache_max_size: int = Field(0, description="Texts whose match is remembered, with expressions; 0: 128.")
    invert_match: bool = Field(False, description=_INVERT)

    @model_validator(mode="after")
    def _has_expressions(self) -> StringAttributeConfig:
        for index, source in enumerate(self.values if self.enabled_regex_matching else ()):
            try:
                Pattern(source)
            except ValueError as error:
                raise InvalidKey(str(error), "values", index) from error
        return self


class NumericAttributeConfig(ConfigModel):
    """Which whole numbers; both bounds are inclusive."""

    key: str = Field(min_length=1, description=_KEY)
    min_value: int | None = Field(None, description="Smallest value; no bound where absent.")
    max_value: int | None = Field(None, description="Largest value; no bound where absent.")
    invert_match: bool = Field(False, description=_INVERT)

    @model_validator(mode="after")
    def _has_a_bound(self) -> NumericAttributeConfig:
        if self.min_value is None and self.max_value is None:
            raise ValueError("at least one of min_value and max_value must be set")
        return self


class BooleanAttributeConfig(ConfigModel):
    """Which truth value."""

    key: str = Field(min_length=1, description=_KEY)
    value: bool = Field(False, description="The value to match.")
    invert_match: bool = Field(False, description=_INVERT)


class _AttributePolicy(Policy):
    """Keeps traces by whether a watch has seen a match."""

    is_stateless = True

    def __init__(self, name: str, config: Any, setting: Setting) -> None:
        super().__init__(name, config, setting)
        self._inverts: bool = config.invert_match
        self.is_instant = not self._inverts
        self.vetoes = self._inverts and setting.legacy_invert_match

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where something matched, or nothing where the match is inverted."""
        return ALWAYS if trace.facts[self.slots[0]] is not self._inverts else NEVER

    def thresholds(self, traces: Sequence[TraceFacts], now_s: float) -> list[int]:
        """See `Policy`."""
        slot, inverts = self.slots[0], self._inverts
        return [ALWAYS if trace.facts[slot] is not inverts else NEVER for trace in traces]


class StringAttribute(_AttributePolicy):
    """Keeps traces with one of these texts on a span or its resource."""

    type = "string_attribute"
    Config = StringAttributeConfig

    def __init__(self, name: str, config: StringAttributeConfig, setting: Setting) -> None:
        """Watch for one of the texts or expressions."""
        super().__init__(name, config, setting)
        size = config.cache_max_size if config.cache_max_size > 0 else _DEFAULT_CACHE_SIZE
        self.watches = (AnyString(config.key, config.values, size if config.enabled_regex_matching else None),)


class NumericAttribute(_AttributePolicy):
    """Keeps traces with a whole number in this range on a span or its resource."""

    type = "numeric_attribute"
    Config = NumericAttributeConfig

    def __init__(self, name: str, config: NumericAttributeConfig, setting: Setting) -> None:
        """Watch for a number in the range."""
        super().__init__(name, config, setting)
        self.watches = (AnyInt(config.key, config.min_value, config.max_value),)


class BooleanAttribute(_AttributePolicy):
    """Keeps traces with this truth value on a span or its resource."""

    type = "boolean_attribute"
    Config = BooleanAttributeConfig

    def __init__(self, name: str, config: BooleanAttributeConfig, setting: Setting) -> None:
        """Watch for the value."""
        super().__init__(name, config, setting)
        self.watches = (AnyBool(config.key, config.value),)
