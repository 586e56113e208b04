"""What is measured: the data file `instruments.yaml`, as the chosen profile of the conventions has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from pipeline.aggregation import Instrument, Labels
from pipeline.aggregation.instrument import Kind
from pipeline.signals import Value
from processors.gen_ai_normalizer.knowledge.profiles import PROVIDER, Profile

FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "call": ("duration", "chunk_gaps"),
    "server": ("duration",),
    "operation": ("duration",),
    "retrieval": ("duration", "documents", "outcome", "scores"),
    "agent": ("duration", "inference_calls", "tool_calls"),
    "workflow": ("duration",),
    "tool": ("duration",),
    "mcp_client": ("duration",),
    "mcp_server": ("duration",),
    "evaluation": (),
    "redacted": (),
    "scored": (),
}
"""Kinds of records, each with what is worked out for it, in the order of a row's last columns.

One record may be of several: a call that a server reports, and that was scored for attacks.
"""
_LISTS: Final = frozenset({"chunk_gaps", "scores"})
"""Facts that are lists of numbers."""
TENANT: Final = "tenant"
"""The dimension that is no attribute: the tenant by `service.tenant_from`."""
_OPERATION: Final = "gen_ai.operation.name"
_ERROR: Final = "error.type"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueRow(_Data):
    """One value of a metric, as the data file says it."""

    attribute: str | tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    otherwise: float | None = Field(None, alias="or")
    fact: str = ""
    count: str = ""
    by: str = ""
    one: bool = False
    labels: dict[str, str] = {}

    @property
    def attributes(self) -> tuple[str, ...]:
        """Where the number stands; of several the first that is there."""
        return (self.attribute,) if isinstance(self.attribute, str) else self.attribute


class MetricRow(_Data):
    """One metric, as the data file says it."""

    name: str
    profiles: tuple[str, ...] = ()
    of: tuple[str, ...]
    only: frozenset[str] = frozenset()
    not_for: frozenset[str] = frozenset()
    success: bool = False
    kind: Kind
    unit: str
    description: str
    bounds: str = ""
    signed: bool = False
    labels: tuple[str, ...]
    values: tuple[ValueRow, ...]


class DurationRow(_Data):
    """Where a log record says how long its call took."""

    attribute: str
    unit: str


class File(_Data):
    """The data file."""

    bounds: dict[str, tuple[float, ...]]
    operations: dict[str, tuple[str, ...]]
    durations: tuple[DurationRow, ...]
    labels: dict[str, tuple[str, ...]]
    older_names: dict[str, str]
    metrics: tuple[MetricRow, ...]

    def label_names(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Attributes, with names of sets replaced by what is in them."""
        return tuple(dict.fromkeys(name for label in labels for name in self.labels.get(label, (label,))))


@cache
def load() -> File:
    """The data file of this package."""
    text = files(__package__).joinpath("instruments.yaml").read_text(encoding="utf-8")
    return File.model_validate(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Reading:
    """How one value of a metric comes from the rows of a kind of record.

    Attributes:
        names: labels, by the attributes they come from.
        label_set: equal for readings with equal names.
        labels: further ones.
        column: the first of `columns`, or any.
        columns: where the number stands in a row, the first that is there counts; empty: records are counted.
        without: columns of its parts, which are taken off.
        otherwise: what is recorded where no number is there.
        is_always: whether there is something to record where nothing stands in `columns`.
        is_plain: whether the numbers stand in `column` as they are recorded.
        is_list: whether the column has lists of numbers.
        by: label that takes the text in the column; each text counts one.
    """

    instrument: Instrument
    names: tuple[str, ...]
    label_set: int
    labels: Labels
    column: int
    columns: tuple[int, ...]
    without: tuple[int, ...]
    otherwise: float | None
    is_always: bool
    is_plain: bool
    is_list: bool
    by: str
    row: MetricRow

    def is_for(self, said: Mapping[str, Value]) -> bool:
        """Whether records with these labels have it."""
        operation = said.get(_OPERATION)
        if self.row.only and operation not in self.row.only:
            return False
        return operation not in self.row.not_for and not (self.row.success and _ERROR in said)


class Readings:
    """What is measured on records with some labels, each reading with its place among all.

    Attributes:
        count: readings.
        plain: those whose numbers stand in one column as they are recorded, by that column.
        others: the rest.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        """Sort them."""
        self.count = len(readings)
        plain: dict[int, list[tuple[int, Reading]]] = {}
        self.others: list[tuple[int, Reading]] = []
        for index, reading in enumerate(readings):
            (plain.setdefault(reading.column, []) if reading.is_plain else self.others).append((index, reading))
        self.plain = list(plain.items())


class Family:
    """Everything that is measured on one kind of record.

    Attributes:
        keys: attributes whose values say which series a record belongs to.
        older: places in `keys` with older names of what stands there.
        columns: attributes that are read for their values; facts follow in a row.
    """

    def __init__(
        self,
        keys: tuple[str, ...],
        older: tuple[tuple[int, str], ...],
        columns: tuple[str, ...],
        readings: tuple[Reading, ...],
    ) -> None:
        """Put together what was read."""
        self.keys = keys
        self.older = older
        self.columns = columns
        self._readings = readings
        self._special = tuple(r for r in readings if r.row.only or r.row.not_for or r.row.success)
        self._chosen: dict[frozenset[str], Readings] = {}

    def key(self, get: Callable[[str], Value]) -> list[Value]:
        """What a record says of the keys, under older names where it has nothing else."""
        values = [get(name) for name in self.keys]
        for index, name in self.older:
            if values[index] is None:
                values[index] = get(name)
        return values

    def readings_for(self, said: Mapping[str, Value]) -> Readings:
        """What is measured on records with these labels."""
        left_out = frozenset(reading.row.name for reading in self._special if not reading.is_for(said))
        if left_out not in self._chosen:
            self._chosen[left_out] = Readings([r for r in self._readings if r.is_for(said)])
        return self._chosen[left_out]


class Catalog:
    """The metrics of one profile, with the dimensions of a configuration."""

    def __init__(self, profile: str, dimensions: Sequence[str]) -> None:
        """`dimensions`: names of more labels, `tenant` among them or not."""
        self._file = load()
        self._dimensions = tuple(dimensions)
        self._profile = Profile.load(profile)
        self._label_sets: dict[tuple[str, ...], int] = {}
        self._to_current = {old: new for new, old in Profile.load("1.36").providers.items()}
        self.operations = {name: kind for kind, names in self._file.operations.items() for name in names}
        rows = [row for row in self._file.metrics if not row.profiles or profile in row.profiles]
        self.families = {kind: self._family(kind, [row for row in rows if kind in row.of]) for kind in FACTS}

    def label(self, name: str, value: Value) -> tuple[str, Value]:
        """A label as the profile names and spells it."""
        if name == PROVIDER and isinstance(value, str):
            value = self._to_current.get(value, value)
            value = self._profile.providers.get(value, value)
        return self._profile.name(name), value

    def _family(self, kind: str, rows: Sequence[MetricRow]) -> Family:
        names = {row.name: self._names(row) for row in rows}
        said = dict.fromkeys(name for row in rows for name in names[row.name] if name != TENANT)
        keys = tuple(said)
        older = tuple((keys.index(new), old) for new, old in self._file.older_names.items() if new in said)
        read = dict.fromkeys(name for row in rows for value in row.values for name in _attributes_of(value, kind))
        columns = {name: index for index, name in enumerate([*read, *FACTS[kind]])}
        readings = [self._reading(row, value, names[row.name], columns) for row in rows for value in row.values]
        return Family(keys, older, tuple(read), tuple(readings))

    def _names(self, row: MetricRow) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._file.label_names(row.labels), *self._dimensions]))

    def _reading(self, row: MetricRow, value: ValueRow, names: tuple[str, ...], columns: Mapping[str, int]) -> Reading:
        instrument = Instrument(
            row.name,
            row.unit,
            row.description,
            kind=row.kind,
            bounds=self._file.bounds[row.bounds] if row.bounds else (),
            monotonic=not row.signed,
            integer=row.kind == "sum" and row.unit.startswith("{"),
        )
        places = [value.fact] if value.fact else [value.count] if value.count else value.attributes
        found = tuple(columns[place] for place in places)
        without = tuple(columns[part] for part in value.without)
        is_list = value.fact in _LISTS
        return Reading(
            instrument,
            names,
            self._label_sets.setdefault(names, len(self._label_sets)),
            tuple(value.labels.items()),
            found[0] if found else -1,
            found,
            without,
            value.otherwise,
            is_always=not found or bool(without) or value.otherwise is not None,
            is_plain=len(found) == 1 and not (without or is_list or value.by),
            is_list=is_list,
            by=value.by,
            row=row,
        )


def _attributes_of(value: ValueRow, kind: str) -> tuple[str, ...]:
    counted = (value.count,) if value.count and value.count not in FACTS[kind] else ()
    return (*value.attributes, *value.without, *counted)
