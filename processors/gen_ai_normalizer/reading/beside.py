"""What a record carries beside its attributes: span events, the body of a log record.

Rules see it as more keys: `event(NAME):` for a span event that is there (or the name of a log record),
`event(NAME):KEY` for an attribute of the first event of that name, `body:` for the body of a log record and
`body:KEY` for its fields, `event.name` for the name of a log record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from pipeline.signals import Event, LogRecord, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.reading.json_text import parse_structure

EVENT_NAME: Final = "event.name"
BODY: Final = "body:"
_NAME_KEYS: Final = (EVENT_NAME, "event_name")
_MAX_FIELDS: Final = 128
"""Fields of a body that rules may see; bodies of events have some dozens."""


class Wanted(NamedTuple):
    """What rules ask for."""

    names: frozenset[str]
    """Names of events."""
    keys: frozenset[str]
    """`event(NAME):KEY`."""
    loggers: Mapping[str, str]
    """Names of events by the scopes of log records that have a heading in place of a name."""


class Occurrence:
    """An event, in whatever way it was recorded."""

    __slots__ = ("body", "fields", "name", "read", "rebuilt", "view")

    def __init__(self, name: str, view: Event | LogRecord, body: Any = None) -> None:
        """Look at a span event or log record."""
        self.name = name
        self.view = view
        self.fields: Attributes = view.attributes
        self.body = body
        self.read: set[str] = set()
        """Attributes of the event that were read."""
        self.rebuilt = False
        """Whether its content is in the record's attributes now."""


class Beside:
    """The events and the body of one record, and the keys under which rules see them."""

    __slots__ = ("events", "has_heading", "values")

    def __init__(self, *, has_heading: bool = False) -> None:
        """Nothing beside the attributes; `has_heading`: the body begins with a line that says what it is."""
        self.has_heading = has_heading
        self.events: list[Occurrence] = []
        self.values: dict[str, Any] = {}

    def named(self, names: frozenset[str]) -> list[Occurrence]:
        """The events of these names."""
        return [event for event in self.events if event.name in names]

    def first(self, key: str) -> tuple[Occurrence, str] | None:
        """The event, and its attribute, that `event(NAME):KEY` stands for."""
        name, _, field = key.removeprefix("event(").partition("):")
        return next(((event, field) for event in self.events if event.name == name), None)

    def add_body(self, body: Any) -> None:
        """Show the body of the log record, and its fields."""
        self.values[BODY] = body
        said = _beneath_heading(body) if self.has_heading and isinstance(body, str) else body
        for event in self.events:
            event.body = said
        structure = parse_structure(body)
        if isinstance(structure, dict):
            self.values |= {BODY + key: value for key, value in islice(structure.items(), _MAX_FIELDS)}


def _beneath_heading(text: str) -> str:
    """The text beneath the first line; of a list that is no JSON, as its quotes are not escaped, what is quoted."""
    heading, _, said = text.partition("\n")
    said = said.strip() or heading
    if said[:2] != '["' or said[-2:] != '"]' or isinstance(parse_structure(said), list):
        return said
    return said[2:-2]


def event_key(name: str) -> str:
    """The key that is there where an event of that name is."""
    return f"event({name}):"


def name_of_key(key: str) -> str:
    """What a key says about its record: the name of the event or field for the keys of this module."""
    if key.startswith("event("):
        return key[6:].partition("):")[0]
    return key.removeprefix(BODY)


def of_span(span: Span, wanted: Wanted) -> Beside:
    """The events of a span that rules ask for."""
    beside = Beside()
    for event in span.events:
        name = event.name
        if name not in wanted.names:
            continue
        beside.events.append(Occurrence(name, event))
        prefix = event_key(name)
        values = beside.values
        values.setdefault(prefix, "")
        for key, value in event.attributes.items():
            full = prefix + key
            if full in wanted.keys:
                values.setdefault(full, value)
    return beside


def of_log(record: LogRecord, attributes: Attributes, wanted: Wanted) -> Beside | None:
    """The name of a log record that is an event; None for any other."""
    name: Any = record.event_name
    for key in _NAME_KEYS:
        name = name or attributes.get(key)
    logger = wanted.loggers.get(record.scope.name) if not name else None
    name = name or logger
    if not isinstance(name, str) or not name:
        return None
    beside = Beside(has_heading=logger is not None)
    beside.events.append(Occurrence(name, record))
    if EVENT_NAME not in attributes:
        beside.values[EVENT_NAME] = name
    if name in wanted.names:
        beside.values[event_key(name)] = ""
    return beside


def of_fields(keys: Iterable[str]) -> Beside:
    """As `of_log`, for a look at the names of a body's fields alone."""
    beside = Beside()
    beside.values = dict.fromkeys((BODY + key for key in islice(keys, _MAX_FIELDS)), None)
    return beside
