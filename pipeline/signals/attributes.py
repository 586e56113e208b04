"""An attribute mapping over OTLP key-value pairs: plain dict reads, recorded writes, one flush."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, Self

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from pipeline.signals.repeated import remove_items
from pipeline.signals.values import Repairs, Value, from_key_values, remove_repeated, set_any_value

_set: Final = dict.__setitem__
_set_all: Final = dict.update

# So many attributes are deleted one by one, which moves all behind them each time; more in one pass.
_FEW: Final = 16


class Journal(Protocol):
    """Whoever re-serialises: told once by each mapping that has something to write."""

    def touched(self, attributes: Attributes) -> None:
        """Remember the mapping; its `flush` is called before the next serialisation."""


class Pairs(Protocol):
    """A repeated KeyValue field, as far as it is used here."""

    def __iter__(self) -> Any: ...
    def __len__(self) -> int: ...
    def __delitem__(self, index: int) -> None: ...
    def add(self) -> KeyValue: ...


class Attributes(dict[str, Value]):
    """The attributes of a record, event, link, scope or resource.

    Reads cost what dict reads cost. Writes are remembered by key and written once, so that attributes that nobody
    changed keep their bytes, unknown protobuf fields included. Writing an equal value changes nothing. Lists and
    dicts inside are copies: replace such a value, do not change it in place. Of a repeated key (which OTLP forbids)
    the first value counts, as in the Collector, and the others are removed.
    """

    __slots__ = ("_added", "_edited", "_journal", "_pairs")

    def __init__(self, pairs: Pairs, journal: Journal) -> None:
        """Read all pairs."""
        repairs = Repairs.count
        super().__init__(from_key_values(pairs))
        self._pairs = pairs
        self._journal = journal
        # Keys to write: those the message has, which must be looked for, and new ones in their order. None: no change.
        self._edited: set[str] | None = None
        self._added: dict[str, Any] | None = None
        if len(self) != len(pairs):
            self._remove_repeated()
        elif Repairs.count != repairs:
            journal.touched(self)

    def _remove_repeated(self) -> None:
        remove_repeated(self._pairs)
        super().update(from_key_values(self._pairs))
        self._journal.touched(self)

    def _edit(self, key: str) -> None:
        """Note that the message's attribute of this key is to be replaced or removed."""
        if self._edited is None:
            if self._added is None:
                self._journal.touched(self)
            self._edited = set()
        self._edited.add(key)

    def _first_added(self) -> dict[str, None]:
        if self._edited is None:
            self._journal.touched(self)
        added: dict[str, None] = {}
        self._added = added
        return added

    def __setitem__(self, key: str, value: Value) -> None:
        """Set one attribute. Raises TypeError for a value that has no OTLP form, at the latest at the flush."""
        if key in self:
            old = self[key]
            if old == value and type(old) is type(value) and not isinstance(value, list | dict):
                return
            if self._added is None or key not in self._added:
                self._edit(key)
        elif self._edited is None or key not in self._edited:
            added = self._added
            if added is None:
                added = self._first_added()
            added[key] = None
        _set(self, key, value)

    def __delitem__(self, key: str) -> None:
        """Remove one attribute."""
        super().__delitem__(key)
        if self._added is not None and key in self._added:
            del self._added[key]
        else:
            self._edit(key)

    def pop(self, key: str, default: Any = None, /) -> Any:
        """Remove and return; the default (None) where the key is missing."""
        if key not in self:
            return default
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Value]:
        """Remove and return the last pair."""
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """Remove every attribute."""
        for key in list(self):
            del self[key]

    def update(  # type: ignore[override]  # the overloads of dict.update say the same at length
        self, other: Mapping[str, Value] | Iterable[tuple[str, Value]] = (), /, **more: Value
    ) -> None:
        """Set many attributes."""
        for key, value in (*dict(other).items(), *more.items()):
            self[key] = value

    def add(self, new: Mapping[str, Value]) -> None:
        """Set several attributes at once, of which none is there: a caller who is not sure calls `update`."""
        if self._edited is None:
            if self._added is None:
                self._journal.touched(self)
                self._added = {**new}
            else:
                self._added.update(new)
            _set_all(self, new)
        else:
            self.update(new)

    def setdefault(self, key: str, default: Value = None, /) -> Value:  # type: ignore[override]  # one overload fewer
        """Set where missing; return what is there."""
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        """Set many attributes."""
        self.update(other)
        return self

    def clear_unknown(self) -> None:
        """Clear values of a kind that this version of OTLP does not know, which read as None; keys and order stay."""
        found = False
        for pair in self._pairs:
            value = pair.value
            if value.WhichOneof("value") is None and len(UnknownFieldSet(value)):
                value.Clear()
                found = True
        if found:
            self._journal.touched(self)

    def flush(self) -> None:
        """Write the changes into the message; called by the batch, once, before it serialises."""
        edited, self._edited = self._edited, None
        added, self._added = self._added, None
        if edited:
            self._flush_edited(edited)
        pairs = self._pairs
        for key in added or ():
            pair = pairs.add()
            pair.key = key
            set_any_value(pair.value, self[key])

    def _flush_edited(self, edited: set[str]) -> None:
        pairs = self._pairs
        gone: list[int] = []
        for index, pair in enumerate(pairs):
            key = pair.key
            if key not in edited:
                continue
            edited.discard(key)
            if key in self:
                set_any_value(pair.value, self[key])
            else:
                gone.append(index)
            if not edited:
                break
        if len(gone) > _FEW:
            which = set(gone)
            remove_items(pairs, [index in which for index in range(len(pairs))])
        else:
            for index in reversed(gone):
                del pairs[index]
