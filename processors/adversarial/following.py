"""Tool calls that do what a suspect tool result or document asked for.

A sketch of what it asked - addresses, and runs of eight words - is kept for its trace, as hashes, never as text.
"""

from __future__ import annotations

import re
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from pipeline.component import Host
from processors.adversarial.verdict import Verdict

_RUN: Final = 8
_AROUND_CHARS: Final = 1_000
"""So much text beside the segment that decided belongs to what was asked."""
_MOST_WORDS: Final = 600
_MOST_ADDRESSES: Final = 64
_MOST_CALL_CHARS: Final = 64 << 10
_MOST_SKETCHES: Final = 16
"""Of one trace; a conversation has the same suspect in each of its later calls."""

_WORDS: Final = re.compile(
    # Letters of scripts without spaces are words each.
    "[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]|[^\\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+"
)
_ADDRESSES: Final = re.compile(
    r"(?:https?://|www\.)[^\s\"'<>)\]}\\`]{4,512}"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"
    r"|\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b"
    r"|\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"
    r"|\b(?:0x[0-9a-fA-F]{40}|bc1[0-9a-z]{20,60}|[13][1-9A-HJ-NP-Za-km-z]{25,34})\b"
    r"|\+[0-9](?:[ -]?[0-9]){7,14}"
)
_SCHEME: Final = re.compile(r"https?://|www\.")


@dataclass(slots=True)
class Sketch:
    """What a suspect text asked for.

    Attributes:
        hashes: of its addresses and runs of words.
        seen_ns: when a model, or whoever called the tool, had the text; Unix time.
        verdict: what was found.
    """

    hashes: array[int]
    seen_ns: int
    verdict: Verdict

    def is_in(self, hashes: frozenset[int]) -> bool:
        """Whether one of them is among those of a tool call."""
        return not hashes.isdisjoint(self.hashes)


def hashes_of(text: str) -> Iterator[int]:
    """Hashes of the addresses and of the runs of words of a text. They hold in this process only."""
    for address in islice(_ADDRESSES.finditer(text), _MOST_ADDRESSES):
        named = _SCHEME.sub("", address.group(), count=1)
        yield _address_hash(named)
        # What is sent away is put into the query.
        if (place := named.partition("?")[0]) != named:
            yield _address_hash(place)
    words = [match.group().lower() for match in _WORDS.finditer(text)]
    for start in range(len(words) - _RUN + 1):
        yield hash(tuple(words[start : start + _RUN]))


def _address_hash(address: str) -> int:
    return hash(address.rstrip(".,;:!?/").replace(" ", "").lower())


def sketch(text: str, verdict: Verdict, seen_ns: int) -> Sketch:
    """The sketch of a suspect text around the segment that decided."""
    raw = text.encode("utf-8", "surrogatepass")
    start = max(0, verdict.offset_bytes - _AROUND_CHARS)
    end = verdict.offset_bytes + max(verdict.length_bytes, 1) + _AROUND_CHARS
    near = raw[start:end].decode("utf-8", "ignore")
    return Sketch(array("q", islice(hashes_of(near), _MOST_WORDS)), seen_ns, verdict)


def call_hashes(text: str) -> frozenset[int]:
    """The hashes of a tool call's arguments."""
    return frozenset(hashes_of(text[:_MOST_CALL_CHARS]))


class Suspects:
    """Sketches of suspect texts by trace, bounded in traces and age."""

    def __init__(self) -> None:
        """Watch no trace yet."""
        self._traces: OrderedDict[bytes, tuple[float, list[Sketch]]] = OrderedDict()
        self.max_traces = 0
        self.max_age_s = 0.0

    def __bool__(self) -> bool:
        """Whether any trace is watched."""
        return bool(self._traces)

    def __len__(self) -> int:
        """Traces that are watched."""
        return len(self._traces)

    def forget(self, now_s: float) -> None:
        """Watch no longer what is too old, or too much; `now_s` is the host's monotonic clock."""
        traces = self._traces
        while traces:
            first = next(iter(traces.values()))
            if len(traces) <= self.max_traces and first[0] + self.max_age_s > now_s:
                return
            traces.popitem(last=False)

    def add(self, trace_id: bytes, found: Sketch, now_s: float) -> None:
        """Watch a trace. The same text is noted once, as it was first seen."""
        if not (trace_id and self.max_traces):
            return
        _, sketches = self._traces.pop(trace_id, (0.0, []))
        self._traces[trace_id] = now_s, sketches
        same = next((known for known in sketches if known.hashes == found.hashes), None)
        if same is not None:
            same.seen_ns = min(same.seen_ns, found.seen_ns)
        elif len(sketches) < _MOST_SKETCHES:
            sketches.append(found)

    def of(self, trace_id: bytes) -> Iterable[Sketch]:
        """The sketches of a trace."""
        found = self._traces.get(trace_id)
        return found[1] if found is not None else ()


def suspects_of(host: Host, *, max_traces: int, max_age_s: float) -> Suspects:
    """The memory of a processor: its pipelines share it, and a reload forgets nothing."""
    memory = host.shared(Suspects, Suspects)
    memory.max_traces = max_traces
    memory.max_age_s = max_age_s
    return memory
