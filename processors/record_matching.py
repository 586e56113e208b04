"""`include` and `exclude`: which records a processor works on (otelcol, `filterconfig`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from pydantic import Field, field_validator, model_validator

from pipeline.config import ConfigModel, InvalidKey, Pattern
from pipeline.signals import Attributes, Record, Signal, Value
from pipeline.signals.plain import as_text

Test: TypeAlias = Callable[[Any], bool]

_SPAN_KINDS: Final = {number: name for name, number in SpanMessage.SpanKind.items()}
_MATCHED_KINDS: Final = tuple(name for number, name in _SPAN_KINDS.items() if number)
# Names repeat, and an expression costs more than the rest of a test.
_REMEMBERED: Final = 1024
_NO_SERVICE: Final = "<nil-service-name>"
_SEVERITIES: Final = {
    f"{name}{step if step > 1 else ''}": 1 + 4 * index + step - 1
    for index, name in enumerate(("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))
    for step in (1, 2, 3, 4)
}
# Criteria that a signal has, in the order they are tested.
_CRITERIA: Final = {
    Signal.TRACES: ("services", "span_names", "span_kinds", "libraries", "resources", "attributes"),
    Signal.LOGS: (
        "log_bodies", "log_severity_texts", "log_severity_number", "libraries", "resources", "attributes",
    ),
    Signal.METRICS: ("metric_names", "resources"),
}  # fmt: skip


class AttributeProperty(ConfigModel):
    """An attribute that must be there, with this value where one is given."""

    key: str = Field(min_length=1, description="The attribute.")
    value: Any = Field(None, description="Its value: equal in type, too (strict), or an RE2 expression (regexp).")


class LibraryProperty(ConfigModel):
    """An instrumentation scope."""

    name: str = Field(description="Its name.")
    version: str | None = Field(None, description="Its version; any where absent.")


class SeverityProperty(ConfigModel):
    """A lowest severity."""

    null_is_absent: ClassVar[bool] = True

    min: int = Field(ge=0, le=24, description="Severity number, or its name, e.g. WARN.")
    match_undefined: bool = Field(False, description="Whether records without a severity match.")

    @field_validator("min", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return _SEVERITIES.get(value.upper(), value) if isinstance(value, str) else value


class RegexpOptions(ConfigModel):
    """Results of expressions can be remembered."""

    cacheenabled: bool = Field(False, description="Remember whether a text matches.")
    cachemaxnumentries: int = Field(0, ge=0, description="Texts to remember for each list; 0: no limit.")


class MatchProperties(ConfigModel):
    """A record matches when it meets every criterion given. In a list one hit is enough; of attributes, resources and
    libraries all must match.
    """

    null_is_absent: ClassVar[bool] = True

    match_type: Literal["strict", "regexp"] = Field(description="strict: equal; regexp: RE2 finds a match.")
    regexp: RegexpOptions | None = Field(None, description="Options of match_type regexp.")
    services: tuple[str, ...] = Field((), description="Values of service.name (traces).")
    span_names: tuple[str, ...] = Field((), description="Names of spans.")
    span_kinds: tuple[str, ...] = Field((), description="Kinds of spans, e.g. SPAN_KIND_CLIENT.")
    attributes: tuple[AttributeProperty, ...] = Field((), description="Attributes of the record (traces, logs).")
    resources: tuple[AttributeProperty, ...] = Field((), description="Attributes of the resource.")
    libraries: tuple[LibraryProperty, ...] = Field((), description="Instrumentation scopes (traces, logs).")
    log_bodies: tuple[str, ...] = Field((), description="Bodies of log records, as text.")
    log_severity_texts: tuple[str, ...] = Field((), description="Severity texts of log records.")
    log_severity_number: SeverityProperty | None = Field(None, description="Lowest severity of log records.")
    metric_names: tuple[str, ...] = Field((), description="Names of metrics.")

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if not any(getattr(self, name) for names in _CRITERIA.values() for name in names):
            raise ValueError("name at least one criterion, e.g. span_names, attributes or services")
        if self.match_type == "strict":
            for kind in self.span_kinds:
                if kind not in _MATCHED_KINDS:
                    raise InvalidKey(f'"{kind}" is no kind; write one of {", ".join(_MATCHED_KINDS)}', "span_kinds")
        else:
            for name in ("services", "span_names", "span_kinds", "log_bodies", "log_severity_texts", "metric_names"):
                for text in getattr(self, name):
                    Pattern(text)
            for item in (*self.attributes, *self.resources):
                if item.value is not None:
                    if not isinstance(item.value, str):
                        raise ValueError(f'match_type regexp needs text as value of "{item.key}"')
                    Pattern(item.value)
        return self


def unusable_criteria(properties: MatchProperties, signal: Signal) -> list[str]:
    """Criteria that records of a signal do not have."""
    every = {name for names in _CRITERIA.values() for name in names}
    return sorted(name for name in every.difference(_CRITERIA[signal]) if getattr(properties, name))


def matcher(include: MatchProperties | None, exclude: MatchProperties | None, signal: Signal) -> Test | None:
    """Whether a record is worked on: included (first) and not excluded; None where all are."""
    included = None if include is None else _all_of(include, signal)
    excluded = None if exclude is None else _all_of(exclude, signal)
    if excluded is None:
        return included
    if included is None:
        return lambda record: not excluded(record)
    return lambda record: included(record) and not excluded(record)


def _all_of(properties: MatchProperties, signal: Signal) -> Test:
    tests = [_BUILDERS[name](properties) for name in _CRITERIA[signal] if getattr(properties, name)]
    if len(tests) == 1:
        return tests[0]
    return lambda record: all(test(record) for test in tests)


def _texts(properties: MatchProperties, wanted: Iterable[str], *, repeats: bool = True) -> Callable[[str], bool]:
    """Whether one of the wanted texts or expressions matches; `repeats`: results are worth remembering unasked."""
    if properties.match_type == "strict":
        return frozenset(wanted).__contains__
    searches = [Pattern(source).regex.search for source in wanted]

    def found(text: str) -> bool:
        return any(search(text) for search in searches)

    options = properties.regexp
    if options and options.cacheenabled:
        return lru_cache(options.cachemaxnumentries or None)(found)
    return lru_cache(_REMEMBERED)(found) if repeats else found


def _services(properties: MatchProperties) -> Test:
    test = _texts(properties, properties.services)
    return lambda span: test(as_text(span.resource.attributes.get("service.name", _NO_SERVICE)))


def _span_names(properties: MatchProperties) -> Test:
    test = _texts(properties, properties.span_names)
    return lambda span: test(span.name)


def _span_kinds(properties: MatchProperties) -> Test:
    test = _texts(properties, properties.span_kinds)
    return lambda span: test(_SPAN_KINDS.get(span.kind, ""))


def _log_bodies(properties: MatchProperties) -> Test:
    test = _texts(properties, properties.log_bodies, repeats=False)
    return lambda record: test(as_text(record.body))


def _severity_texts(properties: MatchProperties) -> Test:
    test = _texts(properties, properties.log_severity_texts)
    return lambda record: test(record.severity_text)


def _severity_number(properties: MatchProperties) -> Test:
    wanted = properties.log_severity_number
    assert wanted is not None, "built only where given"  # noqa: S101 - for the type checker
    least, undefined = wanted.min, wanted.match_undefined

    def match(record: Any) -> bool:
        number: int = record.severity_number
        return number >= least if number else undefined

    return match


def _metric_names(properties: MatchProperties) -> Test:
    test = _texts(properties, properties.metric_names)
    return lambda point: test(point.metric.name)


def _libraries(properties: MatchProperties) -> Test:
    tests = [
        (_texts(properties, [library.name]), None if library.version is None else _texts(properties, [library.version]))
        for library in properties.libraries
    ]

    def match(record: Record) -> bool:
        scope = record.scope
        return all(name(scope.name) and (version is None or version(scope.version)) for name, version in tests)

    return match


def _attributes(properties: MatchProperties) -> Test:
    test = _attribute_test(properties, properties.attributes)
    return lambda record: test(record.attributes)


def _resources(properties: MatchProperties) -> Test:
    test = _attribute_test(properties, properties.resources)
    return lambda record: test(record.resource.attributes)


def _attribute_test(properties: MatchProperties, wanted: Sequence[AttributeProperty]) -> Callable[[Attributes], bool]:
    tests = [(item.key, _value_test(properties, item.value)) for item in wanted]
    return lambda attributes: all(key in attributes and test(attributes[key]) for key, test in tests)


def _value_test(properties: MatchProperties, wanted: Any) -> Callable[[Value], bool]:
    if wanted is None:
        return lambda _value: True
    if properties.match_type == "strict":
        return lambda value: same_value(value, wanted)
    found = _texts(properties, [wanted], repeats=False)
    return lambda value: isinstance(value, str | bool | int | float) and found(_matched_text(value))


def _matched_text(value: str | bool | float) -> str:
    """A scalar as expressions see it: a double without exponent."""
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return as_text(value)


def same_value(one: Any, other: Any) -> bool:
    """Equal in value and type: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_value(item, other[key]) for key, item in one.items())
    return bool(one == other)


_BUILDERS: Final[dict[str, Callable[[MatchProperties], Test]]] = {
    "services": _services,
    "span_names": _span_names,
    "span_kinds": _span_kinds,
    "log_bodies": _log_bodies,
    "log_severity_texts": _severity_texts,
    "log_severity_number": _severity_number,
    "metric_names": _metric_names,
    "libraries": _libraries,
    "attributes": _attributes,
    "resources": _resources,
}
