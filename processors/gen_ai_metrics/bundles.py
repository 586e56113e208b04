"""From rows of values to series: records of equal labels are put on one heap, and heaps are added up now and then.

A record then costs one look-up, and a value of it a few nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from pipeline.aggregation import LIMIT, OVERFLOW, Aggregation, Labels, Numbers, Series
from pipeline.signals import Context, Resource, Value
from processors.gen_ai_metrics.catalog import TENANT, Catalog, Family, Reading
from processors.gen_ai_metrics.config import Dimension
from processors.gen_ai_normalizer.knowledge.profiles import PROVIDER
from processors.gen_ai_normalizer.knowledge.vocabulary import providers

Key: TypeAlias = tuple[Any, ...]
Said: TypeAlias = dict[str, Value]
"""Labels of a record by the names of the attributes they come from, before a profile renames them."""
ExampleIds: TypeAlias = tuple[bytes, bytes, int]
"""Trace id, span id, and time in ns of an exemplar."""

_PLACES: Final = 1024
_BUNDLES: Final = 8192
"""Kept at most, of 1 KB each; they are made anew from the aggregation, which has the limit of series."""
_TEXTS: Final = 64
"""Series that a bundle keeps of a reading that counts texts."""
_MANY_ROWS: Final = 400
"""So many rows of one bundle are added up at once: fewer cost more each, more no longer lie near at hand."""
_ROWS: Final = 2048
_DIRTY: Final = 256
"""Rows that wait to be added up, and bundles with such: some milliseconds of work."""
_BYTES: Final = 8 << 20
"""Of requests whose rows wait: what rows hold is part of these, whatever stands in the place of a number."""
_LABEL_CHARS: Final = 256
_RESOURCE: Final = "resource."


class Bundle:
    """What records of one kind with equal labels share: their rows until they are added up, and their series.

    Attributes:
        said: their labels.
        rows: the values of the family's columns, facts, and the ids of an exemplar or None.
        series: by reading, as far as they were asked for; of readings that count texts, by text.
    """

    __slots__ = ("labels", "place", "readings", "rows", "said", "series")

    def __init__(self, family: Family, place: Place, said: Said) -> None:
        """`said`: their labels."""
        self.place = place
        self.said = said
        self.rows: list[Sequence[Any]] = []
        self.readings = family.readings_for(said)
        self.series: list[Any] = [None] * self.readings.count
        self.labels: dict[int, Labels] = {}


class Place:
    """Where records come from: labels of their resource, and what their dimensions are where they do not say.

    Attributes:
        bundles: by kind, and by the values of the family's keys.
    """

    __slots__ = ("bundles", "defaults", "resource")

    def __init__(self, resource: Labels, defaults: Said, kinds: Iterable[str]) -> None:
        """`defaults`: dimensions by name."""
        self.resource = resource
        self.defaults = defaults
        self.bundles: dict[str, dict[Key, Bundle]] = {kind: {} for kind in kinds}


class Heaps:
    """Takes rows and adds them up.

    Attributes:
        dirty: bundles with rows; who puts the first row into a bundle adds it.
        waiting: about how many rows there are.
        made: bundles that were ever made.
    """

    def __init__(
        self,
        aggregation: Aggregation,
        catalog: Catalog,
        dimensions: Sequence[Dimension],
        resource_attributes: Sequence[str],
        tenant_from: Sequence[str],
        on_overflow: Callable[[int], None],
    ) -> None:
        """`on_overflow(count)`: told of values beyond the limit of series."""
        self._aggregation = aggregation
        self._generation = aggregation.generation
        self._catalog = catalog
        self._dimensions = tuple(dimensions)
        self._resource_attributes = tuple(resource_attributes)
        self._has_tenant = any(dimension.name == TENANT for dimension in dimensions)
        self._tenant_from = tuple(tenant_from)
        self._on_overflow = on_overflow
        self._places: dict[Key, Place] = {}
        self._bundles = 0
        self.dirty: list[Bundle] = []
        self._now_ns = 0
        self.waiting = 0
        self._bytes = 0
        self.made = 0

    def place(self, resource: Resource, context: Context) -> Place:
        """Where the records of a resource come from. One object for equal ones, as long as it is remembered."""
        get = resource.attributes.get
        tenant = self._tenant(get, context) if self._has_tenant else None
        said: list[Value] = [label_of(get(name)) for name in self._resource_attributes]
        dimensions = [tenant if d.name == TENANT else label_of(get(d.name)) for d in self._dimensions]
        key = (*said, *dimensions)
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= _PLACES:
                self._forget()
            pairs = zip(self._resource_attributes, said, strict=True)
            place = self._places[key] = Place(
                tuple([(name, value) for name, value in pairs if value is not None]),
                self._defaults(dimensions),
                self._catalog.families,
            )
        return place

    def _tenant(self, get: Callable[[str], Value], context: Context) -> Value:
        """The first hit of `service.tenant_from`."""
        for source in self._tenant_from:
            if source.startswith(_RESOURCE):
                found: Value = label_of(get(source.removeprefix(_RESOURCE)))
            else:
                found = label_of(context.lookup(source))
            if found not in (None, ""):
                return found
        return None

    def _defaults(self, values: Sequence[Value]) -> Said:
        found = {
            dimension.name: value if value is not None else dimension.default
            for dimension, value in zip(self._dimensions, values, strict=True)
        }
        return {name: value for name, value in found.items() if value is not None}

    def bundle(self, place: Place, kind: str, key: Key) -> Bundle:
        """The bundle of records with these values of the family's keys."""
        known = place.bundles[kind]
        try:
            found = known.get(key)
        except TypeError:
            found = None
        if found is not None:
            return found
        short = tuple(map(label_of, key))
        found = known.get(short)
        if found is None:
            family = self._catalog.families[kind]
            found = Bundle(family, place, self.said(place, zip(family.keys, short, strict=True)))
            if self._bundles >= _BUNDLES:
                self._forget()
            self._bundles += 1
            self.made += 1
            known[short] = found
        return found

    def said(self, place: Place, pairs: Iterable[tuple[str, Value]]) -> Said:
        """Labels: what a record says, and what its place says; a framework's name in a provider's place is none."""
        said: Said = {name: value for name, value in pairs if value is not None}
        provider = said.get(PROVIDER)
        if isinstance(provider, str) and providers().name(provider) is None:
            del said[PROVIDER]
        for name, value in place.defaults.items():
            said.setdefault(name, value)
        return said

    def put(self, bundle: Bundle, row: Sequence[Any]) -> None:
        """Add a row: the values of the family's columns, its facts, the ids of an exemplar or None."""
        if not bundle.rows:
            self.dirty.append(bundle)
        bundle.rows.append(row)
        self.waiting += 1

    def _forget(self) -> None:
        """Make room: bundles in use go on until they are added up."""
        for place in self._places.values():
            for bundles in place.bundles.values():
                bundles.clear()
        self._places.clear()
        self._bundles = 0

    def settle(self, now_ns: int, size_bytes: int) -> None:
        """Add up where there is much; `now_ns`: when the rows came, `size_bytes`: of what they came in."""
        self._now_ns = now_ns
        self._bytes += size_bytes
        if self.waiting >= _ROWS or len(self.dirty) >= _DIRTY or self._bytes >= _BYTES:
            self.add_up()
            return
        few = [bundle for bundle in self.dirty if len(bundle.rows) < _MANY_ROWS]
        if len(few) < len(self.dirty):
            self._renew()
            for bundle in self.dirty:
                if len(bundle.rows) >= _MANY_ROWS:
                    self._add_up(bundle)
            self.dirty[:] = few
            self.waiting = sum(len(bundle.rows) for bundle in few)

    def add_up(self) -> None:
        """Add all rows to their series."""
        self._renew()
        for bundle in self.dirty:
            self._add_up(bundle)
        self.dirty.clear()
        self.waiting = self._bytes = 0

    def _add_up(self, bundle: Bundle) -> None:
        rows, bundle.rows = bundle.rows, []
        columns = list(zip(*rows, strict=True))
        # Most values are not there on most records.
        missing = [column[0] is None and column.count(None) == len(column) for column in columns]
        for place, readings in bundle.readings.plain:
            if not missing[place] and (numbers := _numbers(columns[place])) is not None:
                for index, reading in readings:
                    self._record(bundle, index, reading, columns, numbers)
        for index, reading in bundle.readings.others:
            if not reading.is_always and all(missing[place] for place in reading.columns):
                continue
            if reading.by:
                self._count(bundle, index, reading, columns[reading.column])
            elif (numbers := _special_numbers(reading, columns)) is not None:
                self._record(bundle, index, reading, columns, numbers)

    def _renew(self) -> None:
        """Keep no series that the aggregation has forgotten."""
        if self._generation != self._aggregation.generation:
            self._generation = self._aggregation.generation
            self._forget()
            for bundle in self.dirty:
                bundle.series = [None] * len(bundle.series)

    def _record(self, bundle: Bundle, index: int, reading: Reading, columns: list[Any], numbers: Numbers) -> None:
        series = bundle.series[index]
        if series is None:
            series = self._series(bundle, reading, "")
            bundle.series[index] = series
        series.add_all(numbers, self._now_ns)
        if series.labels is OVERFLOW:
            self._on_overflow(len(numbers.values))
        if columns[-1][-1] is not None:
            _offer(series, reading, columns)

    def _count(self, bundle: Bundle, index: int, reading: Reading, column: Sequence[Any]) -> None:
        for text, count in Counter(_texts(column)).items():
            known: dict[str, Series] | None = bundle.series[index]
            series = known.get(text) if known is not None else None
            if series is None:
                series = self._series(bundle, reading, text)
                known = bundle.series[index] or {}
                if len(known) < _TEXTS:
                    known[text] = series
                bundle.series[index] = known
            series.add(count, self._now_ns)
            if series.labels is OVERFLOW:
                self._on_overflow(count)

    def _series(self, bundle: Bundle, reading: Reading, by: str) -> Series:
        labels = bundle.labels.get(reading.label_set)
        if labels is None:
            said, label = bundle.said, self._catalog.label
            labels = tuple([label(name, said[name]) for name in reading.names if name in said])
            bundle.labels[reading.label_set] = labels
        own = ((reading.by, by), *reading.labels) if by else reading.labels
        series = self._aggregation.series(bundle.place.resource, reading.instrument, labels + own, self._now_ns)
        self._renew()
        return series


def label_of(value: Any) -> Any:
    """A value as a label: short, and comparable."""
    if isinstance(value, str):
        return value if len(value) <= _LABEL_CHARS else value[:_LABEL_CHARS]
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:_LABEL_CHARS]


def _numbers(column: Sequence[Any]) -> Numbers | None:
    """What a column has to record; anything else than numbers is left out."""
    try:
        numbers = Numbers(column) if column else None
    except TypeError:
        return _numbers([number for number in column if number.__class__ is int or number.__class__ is float])
    if numbers is not None and _may_have_bools(numbers) and bool in set(map(type, column)):
        return _numbers([number for number in column if number.__class__ is not bool])
    return numbers


def _may_have_bools(numbers: Numbers) -> bool:
    """Whether there is a 0 or a 1 among them; also where they have no order."""
    if not numbers.total < LIMIT or numbers.ordered[0] <= 0:
        return True
    place = bisect_left(numbers.ordered, 1)
    return place < len(numbers.ordered) and numbers.ordered[place] == 1


def _special_numbers(reading: Reading, columns: list[Any]) -> Numbers | None:
    """What rows have to record where that is not what stands in one column."""
    if not reading.columns:
        return Numbers([1] * len(columns[-1]))
    column = _column(reading, columns)
    if reading.is_list:
        return _numbers([number for numbers in column if numbers for number in numbers])
    if reading.without:
        column = _rests(column, [columns[place] for place in reading.without], reading.otherwise)
    return _numbers(column)


def _column(reading: Reading, columns: list[Any]) -> Sequence[Any]:
    column: Sequence[Any] = columns[reading.column]
    for other in reading.columns[1:]:
        column = [b if a is None else a for a, b in zip(column, columns[other], strict=True)]
    return column


def _rests(column: Sequence[Any], parts: Sequence[Sequence[Any]], otherwise: float | None) -> list[Any]:
    """What is left of each number without its parts."""
    found: list[Any] = []
    for whole, *of_it in zip(column, *parts, strict=True):
        known = [part for part in of_it if part.__class__ is int]
        if whole.__class__ is int:
            found.append(max(0, whole - sum(known)))
        else:
            found.append(None if known else otherwise)
    return found


def _texts(column: Iterable[Any]) -> list[str]:
    """Each text once for each row."""
    found: list[str] = []
    for value in column:
        if value is None:
            continue
        if value.__class__ is not list:
            found.append(value)
        elif len(value) == 1:
            found.append(value[0])
        else:
            found += {text for text in value if text.__class__ is str}
    return [text[:_LABEL_CHARS] for text in found if text.__class__ is str]


def _offer(series: Series, reading: Reading, columns: list[Any]) -> None:
    """The newest and the largest value, as exemplars."""
    ids: Sequence[ExampleIds | None] = columns[-1]
    column = _column(reading, columns) if reading.columns else [1] * len(ids)
    numbers = [(n, i) for n, i in zip(column, ids, strict=True) if i and (n.__class__ is int or n.__class__ is float)]
    if numbers:
        newest, largest = numbers[-1], max(numbers, key=itemgetter(0))
        _offer_one(series, *newest)
        if largest is not newest:
            _offer_one(series, *largest)


def _offer_one(series: Series, value: float, ids: ExampleIds) -> None:
    trace_id, span_id, time_ns = ids
    series.exemplar(value, time_ns, trace_id, span_id)
