"""Makes a JSON document smaller: long strings first, then the middle of arrays; what remains is JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from processors.limits.dialects import Dumps, Node, TooDeep, dumps_strict, may_have_lost_digits, read, read_loosely
from processors.limits.marker import Marker
from processors.limits.sharing import Want, share
from processors.limits.texts import cut_text, longest, size_bytes

GAP: Final = "…"
"""Key of the mark in an object that lacks members, and in the object that stands for left-out elements."""

# What says which kind of thing an object is; kept before everything else in it.
_NAMES: Final = (
    "role", "type", "id", "call_id", "tool_call_id", "name", "index", "finish_reason", "modality", "mime_type",
)  # fmt: skip
_LONGEST_NAME: Final = 128
# Deeper down, a part that does not fit is left out whole: all work is bounded by depth times size.
_DEEPEST: Final = 32
_DEEPEST_LOOK: Final = 4
# A string that is cut keeps at least so much beside its mark.
_LEAST_TEXT: Final = 16
# Members of an object, beside those names, by which a reader knows what it was.
_SHOWN_MEMBERS: Final = 2
# An element of an array is worth keeping where it can have such a part of the array's room.
_FAIR_PART: Final = 8
# After so many members that do not fit, others are not asked.
_MOST_MISSES: Final = 64
_END_WEIGHT: Final = 3
_TRIES: Final = 4
# What all tries of a document may read together: strings in strings would multiply them by each other.
_LEAST_WORK_BYTES: Final = 1 << 16
_WORK_BY_SIZE: Final = 8


class Work:
    """What is left of the work on one document, in bytes to be read."""

    def __init__(self, size_bytes: int) -> None:
        """Enough for a document of this size."""
        self.left_bytes = max(_LEAST_WORK_BYTES, _WORK_BY_SIZE * size_bytes)


def cut_json(text: str, limit_bytes: int, marker: Marker, depth: int = 0, work: Work | None = None) -> str | None:
    """A JSON object, array or string as one in at most `limit_bytes`; None where the text is no JSON.

    Spaces that mean nothing go first. `[]`, `{}` or less remains where the limit has no room for a mark.
    """
    work = work or Work(len(text))
    try:
        found = read(text)
        if found is None:
            return None
        cut = Cutter(marker, found[1], work).document(found[0], limit_bytes, depth)
        if found[1] is dumps_strict and may_have_lost_digits(cut) and (found := read_loosely(text)) is not None:
            cut = Cutter(marker, found[1], work).document(found[0], limit_bytes, depth)
    except (TooDeep, RecursionError, TypeError):
        kind: Node = {} if text.lstrip()[:1] == "{" else []
        return dumps_strict(Cutter(marker).gap(kind, len(text), limit_bytes)).decode()
    return cut


class Cutter:
    """Cuts the values of one document."""

    def __init__(self, marker: Marker, dumps: Dumps = dumps_strict, work: Work | None = None) -> None:
        """Measure values as `dumps` writes them. Documents that are strings of one share its `work`."""
        self._marker = marker
        self._work = work or Work(0)
        self._dumps = dumps
        self._least_string = marker.size_bytes(10**6) + _LEAST_TEXT + 2
        self._gap_bytes = len(self._dumps({GAP: marker.text(10**9)}))

    def document(self, document: Node, limit_bytes: int, depth: int = 0) -> str:
        """A document as text in at most `limit_bytes`."""
        raw = self._dumps(document)
        if len(raw) <= limit_bytes:
            return raw.decode()
        cut = self._dumps(self.fit(document, len(raw), limit_bytes, depth)).decode()
        return cut if limit_bytes > 1 else ""

    def size_bytes(self, value: Node) -> int:
        """Size of a value as it is written."""
        return len(self._dumps(value))

    def _inner_bytes(self, text: str) -> int:
        """Size of a string as it is written, without its quotes."""
        return len(self._dumps(text)) - 2

    def fit(self, value: Node, size: int, room: int, depth: int = 0) -> Node:
        """A value of `size` bytes in at most `room`, at least 2; what cannot be cut is returned as it is."""
        if size <= room:
            return value
        if isinstance(value, str):
            return self._string(value, size, room, depth)
        if isinstance(value, bytes):
            return value[: max(0, (room - 2) // 4 * 3)]
        if isinstance(value, list | dict):
            if depth >= _DEEPEST:
                return self.gap(value, size, room)
            return self._list(value, size, room, depth) if isinstance(value, list) else self._dict(value, room, depth)
        return value

    def gap(self, value: Node, missing: int, room: int) -> Node:
        """A container of the kind of `value` with nothing but a mark in it, or nothing."""
        mark = self._marker.text(missing)
        full: Node = {GAP: mark} if isinstance(value, dict) else [mark]
        return full if mark and self.size_bytes(full) <= room else type(full)()

    # --- strings

    def _string(self, text: str, size: int, room: int, depth: int) -> str:
        if depth < _DEEPEST and (nested := self._nested(text, size, room, depth)) is not None:
            return nested
        body, missing = self._marker.take_off(text)
        kept_room = room - 2 - self._marker.size_bytes(size + missing)
        if kept_room < 0:
            return text[: longest(text, room - 2, self._inner_bytes)]
        kept = body[: longest(body, kept_room, self._inner_bytes)]
        missing += len(body[len(kept) :].encode("utf-8", "surrogatepass"))
        return kept + self._marker.text(missing)

    def _nested(self, text: str, size: int, room: int, depth: int) -> str | None:
        """JSON in a string stays JSON; None where it is none. How much its escapes take is found by trying."""
        if text[:1] not in {"{", "["}:
            return None
        inner = (room - 2) * len(text.encode("utf-8", "surrogatepass")) // size
        for _ in range(_TRIES):
            if self._work.left_bytes <= 0:
                return self._without_content(text, size, room)
            self._work.left_bytes -= len(text)
            cut = cut_json(text, inner, self._marker, depth + 1, self._work) if inner >= self._gap_bytes else None
            if cut is None or self.size_bytes(cut) <= room:
                return cut
            inner = inner * room // (self.size_bytes(cut) + 1)
        return None

    def _without_content(self, text: str, size: int, room: int) -> str | None:
        """A string that looks like JSON as JSON with nothing but a mark in it; None where that has no room."""
        kind: Node = {} if text[0] == "{" else []
        gap = self._dumps(self.gap(kind, size, room - 2)).decode()
        return gap if self.size_bytes(gap) <= room else None

    # --- arrays

    def _list(self, items: list[Node], size: int, room: int, depth: int) -> Node:
        chosen, wants, sizes = self._choose(items, room - 2)
        if len(chosen) == len(items):
            return self._merged(self._fit_all(items, sizes, wants, room - 1 - len(items), depth))
        if not chosen:
            return self._only_first(items, size, room, depth)
        gap = self._element_gap(items, size - sum(sizes) - len(sizes))
        kept_room = room - 1 - len(chosen) - 1 - self.size_bytes(gap)
        kept = self._fit_all([items[index] for index in chosen], sizes, wants, kept_room, depth)
        place = next(n for n, index in enumerate([*chosen, -1]) if n != index)
        return self._merged([*kept[:place], gap, *kept[place:]])

    def _merged(self, items: Sequence[Node]) -> list[Node]:
        """Objects of which nothing but a mark is left, side by side, as one."""
        made: list[Node] = []
        for item in items:
            if made and _is_mark(item) and _is_mark(made[-1]):
                missing = self._marker.take_off(made[-1][GAP])[1] + self._marker.take_off(item[GAP])[1]
                made[-1] = {GAP: self._marker.text(missing)}
            else:
                made.append(item)
        return made

    def _element_gap(self, items: Sequence[Node], missing: int) -> Node:
        """What stands for elements that are left out: of their kind, for those who read it."""
        mark = self._marker.text(max(0, missing))
        return {GAP: mark} if isinstance(items[0], dict) else mark

    def _choose(self, items: Sequence[Node], room: int) -> tuple[list[int], list[Want], list[int]]:
        """Which elements stay, from both ends towards the middle as long as there is room, and what they want."""
        fair = room // _FAIR_PART
        left = room - self._gap_bytes - 1
        found: list[tuple[int, Want, int]] = []
        for index in _from_both_ends(len(items)):
            size = self.size_bytes(items[index])
            least = size if size <= fair else min(size, max(self._least(items[index]), fair))
            room_here = left - 1 + (self._gap_bytes + 1 if len(found) == len(items) - 1 else 0)
            if least > room_here and room_here > self._gap_bytes and isinstance(items[index], str | list | dict):
                # Something of it is better than the room left empty.
                least = room_here
            if least > room_here:
                break
            left -= least + 1
            is_end = index in {0, len(items) - 1}
            found.append((index, Want(least, size, _END_WEIGHT if is_end else 1), size))
        found.sort(key=lambda item: item[0])
        return [index for index, _, _ in found], [want for _, want, _ in found], [size for _, _, size in found]

    def _only_first(self, items: Sequence[Node], size: int, room: int, depth: int) -> Node:
        """An array with what of its first element fits beside a mark."""
        first = items[0]
        first_size = self.size_bytes(first)
        gap = [self._element_gap(items, size - first_size)] if len(items) > 1 else []
        left = room - 2 - sum(self.size_bytes(item) + 1 for item in gap)
        if left > self._least_string and isinstance(first, str | list | dict):
            made = [self.fit(first, first_size, left, depth + 1), *gap]
            if self.size_bytes(made) <= room:
                return made
        return self.gap(items, size, room)

    def _fit_all(
        self, values: Sequence[Node], sizes: Sequence[int], wants: Sequence[Want], room: int, depth: int
    ) -> list[Node]:
        """Values in at most `room` bytes together; what one leaves over the next may have."""
        made = []
        spare = 0
        for value, size, given in zip(values, sizes, share(room, wants), strict=True):
            cut = self.fit(value, size, given + spare, depth + 1)
            spare += given - (size if cut is value else self.size_bytes(cut))
            made.append(cut)
        return made

    # --- objects

    def _dict(self, members: dict[str, Node], room: int, depth: int) -> Node:
        whole = self.size_bytes(members)
        names, wants, sizes, over = self._choose_members(members, room - 2)
        if len(names) < len(members):
            missing = whole - sum(sizes) - sum(self.size_bytes(name) + 2 for name in names)
            mark = self._marker.text(missing + self._marker.take_off(str(members.get(GAP, "")))[1])
            over -= self.size_bytes(GAP) + self.size_bytes(mark) + 2
        if over < 0 or not names:
            return self.gap(members, whole, room)
        room_of_values = over + sum(want.least for want in wants)
        cut = self._fit_all([members[name] for name in names], sizes, wants, room_of_values, depth)
        made = dict(zip(names, cut, strict=True))
        if len(names) < len(members):
            made[GAP] = mark
        return made

    def _choose_members(self, members: dict[str, Node], room: int) -> tuple[list[str], list[Want], list[int], int]:
        """Which members stay, in their order, what they want, and the room that this leaves."""
        reserve = self._gap_bytes
        found: dict[str, tuple[Want, int]] = {}
        misses = 0
        for name in _names_first(members):
            value = members[name]
            size = self.size_bytes(value)
            is_name = name in _NAMES and size <= _LONGEST_NAME
            least = size if is_name else min(size, self._least(value))
            around = self.size_bytes(name) + 2
            left = room - around - (0 if len(found) == len(members) - 1 else reserve)
            if least > left and left > self._gap_bytes and isinstance(value, str | list | dict):
                # Something of it is better than the room left empty.
                least = left
            if least > left:
                misses += 1
                if is_name or room <= reserve or misses > _MOST_MISSES:
                    break
                continue
            cost = around + least
            room -= cost
            found[name] = Want(least, size), size
        names = [name for name in members if name in found]
        return names, [found[name][0] for name in names], [found[name][1] for name in names], room

    # --- how small something can get

    def _least(self, value: Node, depth: int = 0) -> int:
        """To how many bytes, about, a value can be cut and still tell what it is."""
        if isinstance(value, str):
            if len(value) <= self._least_string and (size := self.size_bytes(value)) <= self._least_string:
                return size
            return 2 * self._gap_bytes if value[:1] in {"{", "["} else self._least_string
        if not isinstance(value, list | dict):
            return self.size_bytes(value)
        if depth >= _DEEPEST_LOOK or not value:
            return self._gap_bytes + 2
        if isinstance(value, list):
            rest = self._gap_bytes + 1 if len(value) > 1 else 0
            return 2 + rest + self._least(value[0], depth + 1)
        shown = list(islice(_names_first(value), sum(name in value for name in _NAMES) + _SHOWN_MEMBERS))
        rest = self._gap_bytes + 1 if len(shown) < len(value) else 0
        return 2 + rest + sum(len(name) + 4 + self._least(value[name], depth + 1) for name in shown)


def _is_mark(value: Node) -> bool:
    return isinstance(value, dict) and list(value) == [GAP] and isinstance(value[GAP], str)


def _from_both_ends(count: int) -> Iterable[int]:
    for index in range((count + 1) // 2):
        yield index
        if count - 1 - index != index:
            yield count - 1 - index


def _names_first(members: dict[str, Any]) -> Iterable[str]:
    yield from (name for name in _NAMES if name in members)
    yield from (name for name in members if name not in _NAMES and name != GAP)


def cut_any(text: str, limit_bytes: int, marker: Marker) -> str:
    """A text in at most `limit_bytes`: JSON as JSON, anything else at its end. One that fits is returned as it is."""
    if size_bytes(text) <= limit_bytes:
        return text
    cut = cut_json(text, limit_bytes, marker) if limit_bytes > 1 else None
    return cut_text(text, limit_bytes, marker) if cut is None else cut
