"""Where values come from: attributes of spans, of their resource, or of their events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from sys import intern
from typing import Any, Final

from pipeline.signals.values import from_any_value
from processors.tail_sampling.facts.conditions import OneOf
from processors.tail_sampling.policy import SpanFacts

ROLE: Final = "penstock.gen_ai.role"
REPEATS: Final = frozenset({"aggregate", "duplicate"})
"""Roles of spans that say again what others have said (written by `gen_ai_normalizer`)."""
MOST_CHARS: Final = 256
"""Of a text by which traces are told apart."""

Group = tuple[Any, ...]
"""Values by which traces are told apart, in the order of their names."""
Found = tuple[tuple[Group, Any], ...]
_NOTHING: Final[Found] = ()


def attribute_of(span: SpanFacts, name: str) -> Any:
    """An attribute of the span, else of its resource; None where neither has it."""
    value = span.attributes.get(name)
    return span.resource.get(name) if value is None else value


def short(value: Any) -> Any:
    """A value to tell traces apart by: bounded in size, hashable, and held once by all traces that have it."""
    if type(value) is str:
        return intern(value[:MOST_CHARS])
    return value if isinstance(value, bool | int | float) or value is None else repr(value)[:MOST_CHARS]


def is_repeat(span: SpanFacts) -> bool:
    """Whether the span's usage is that of other spans."""
    role = span.attributes.get(ROLE)
    # Senders may write a list, which is in no set.
    return type(role) is str and role in REPEATS


@dataclass(frozen=True, slots=True)
class Reading:
    """Values of one attribute, wherever it may stand.

    Attributes:
        in_events: whether events of the span are looked at; `event`: those of this name, of any where it is empty.
        where: what other attributes must be, by name: of the event, else of the span, else of its resource.
        by: names of the attributes that tell values apart, found in the same way.
    """

    key: str
    in_span: bool = True
    in_resource: bool = True
    in_events: bool = False
    event: str = ""
    where: tuple[tuple[str, OneOf], ...] = ()
    by: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Without this attribute there is nothing to read, except that any span may have events."""
        return frozenset() if self.in_events else frozenset({self.key})

    @property
    def names(self) -> frozenset[str]:
        """All that may be looked at on the span itself."""
        own = (self.key,) if self.in_span or self.in_resource else ()
        return frozenset({*own, *self.by, *(name for name, _ in self.where)})

    def read(self, span: SpanFacts) -> Found:
        """Values with what tells them apart."""
        found = _NOTHING
        # Watches are called for each span: what most of them do without is not called.
        value = span.attributes.get(self.key) if self.in_span else None
        if value is None and self.in_resource:
            value = span.resource.get(self.key)
        if value is not None and (not self.where or self._is_meant(partial(attribute_of, span))):
            by = self.by
            group = tuple([short(attribute_of(span, name)) for name in by]) if by else ()
            found = ((group, value),)
        if self.in_events and (events := span.pb.events):
            found = (*found, *self._in_events(events, span))
        return found

    def _in_events(self, events: Any, span: SpanFacts) -> Iterator[tuple[Group, Any]]:
        for event in events:
            if self.event and event.name != self.event:
                continue
            found = {pair.key: pair.value for pair in event.attributes}
            if self.key in found:
                get = partial(_beside, found, span)
                if self._is_meant(get):
                    yield tuple([short(get(name)) for name in self.by]), from_any_value(found[self.key])

    def _is_meant(self, get: Callable[[str], Any]) -> bool:
        return all(wanted.has(get(name)) for name, wanted in self.where)


def _beside(found: Mapping[str, Any], span: SpanFacts, name: str) -> Any:
    return from_any_value(found[name]) if name in found else attribute_of(span, name)
