"""The short way for spans whose times are plain: a number in a known unit, or chunks, and nothing that is doubtful.

It writes what the long way would write, or nothing; a property test holds both against each other.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals import Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.chunks import Arrivals
from processors.gen_ai_latency.facts import Facts
from processors.gen_ai_latency.rates import FAILED, FASTEST_S, FINISH, MOST_PER_S, OUTPUT, REASONING, SLOWEST_S
from processors.gen_ai_latency.reading import LONGEST_S, SHORTEST_S
from processors.gen_ai_latency.targets import SOURCE, STREAM, TOKENS_PER_S, TPOT, TTFT
from processors.gen_ai_latency.ways import RESPONSE, Way, Ways
from processors.marks import ROLE

_NUMBERS: Final = (float, int)
_ENDED: Final = 1
_FEWEST: Final = 2
_UNKNOWN_S: Final = 0.0


class Quick:
    """Writes the times of spans that are plain enough."""

    __slots__ = ("_chunks", "_commonest", "_deciding", "_lying_ids", "_may_reason", "_others", "_ways")

    def __init__(self, facts: Facts) -> None:
        """Look up what would make a span one for the long way."""
        self._ways = ways = Ways(facts)
        self._deciding = ways.deciding
        self._others = ways.deciding - {TTFT}
        self._commonest = ways[frozenset([TTFT])]
        self._lying_ids = ways.lying_ids
        self._chunks = ways.chunks
        self._may_reason = facts.unseen_reasoning.is_of

    def write(self, span: Span, pb: Any, attributes: Attributes, chunks: Arrivals | None) -> bool:
        """Write the times of a span (`pb`: its message); False, and nothing, for one that takes the long way."""
        is_commonest = TTFT in attributes and self._others.isdisjoint(attributes)
        way = self._commonest if is_commonest else self._ways[self._deciding.intersection(attributes)]
        get: Any = attributes.get
        tokens = get(OUTPUT)
        if way is None or tokens.__class__ is not int or tokens < _FEWEST or not self._is_whole(pb, get):
            return False
        first, unit_s, total, _, rate = way
        start_ns, end_ns = pb.start_time_unix_nano, pb.end_time_unix_nano
        duration_s = (end_ns - start_ns) / 1e9
        if first:
            source, first_s = first, get(first)
            if first_s.__class__ is not float and (first_s.__class__ is not int or first == TTFT):
                return False
            first_s *= unit_s
        elif chunks is not None and self._are_believed(chunks, span):
            source, first_s = chunks.name, (chunks.first_ns - start_ns) / 1e9
        else:
            return False
        decode_s = duration_s - first_s
        if total or chunks is not None:
            decode_s = _decoding(way, get, chunks, first_s, start_ns, end_ns)
        per_token_s = decode_s / (tokens - 1)
        if not (SHORTEST_S < first_s <= duration_s < LONGEST_S and FASTEST_S <= per_token_s <= SLOWEST_S):
            return False
        per_second = get(rate) if rate else tokens / duration_s
        if per_second.__class__ is not float or not 0 < per_second < MOST_PER_S:
            return False
        new = {SOURCE: source, TPOT: per_token_s, TOKENS_PER_S: per_second}
        if first != TTFT:
            new[TTFT] = first_s
        attributes.add(new)
        return True

    def _is_whole(self, pb: Any, get: Any) -> bool:
        """Whether a span is of one whole answer all of whose tokens came behind the first chunk."""
        reasons, reasoning, response = get(FINISH), get(REASONING), get(RESPONSE)
        if pb.status.code == FAILED if reasons is None else reasons.__class__ is not list or len(reasons) != _ENDED:
            return False
        if reasoning is not None and (reasoning.__class__ is not int or reasoning):
            return False
        if get(STREAM) is False or get(ROLE) == "aggregate":
            return False
        if response.__class__ is str and response.startswith(self._lying_ids):
            return False
        model = get("gen_ai.response.model") or get("gen_ai.request.model")
        return reasoning is not None or (model.__class__ is str and not self._may_reason(model))

    def _are_believed(self, chunks: Arrivals, span: Span) -> bool:
        lies = self._chunks.get(chunks.name)
        return lies is not None and not any(lie.is_told("", span) for lie in lies)


def _decoding(way: Way, get: Any, chunks: Arrivals | None, first_s: float, start_ns: int, end_ns: int) -> float:
    """Time from the first token to the last, by chunks or by the clock of the fact; 0 where there is doubt."""
    if chunks is not None and chunks.first_ns != chunks.last_ns:
        is_inside = start_ns <= chunks.first_ns < chunks.last_ns <= end_ns
        return (chunks.last_ns - chunks.first_ns) / 1e9 if is_inside else _UNKNOWN_S
    whole = get(way.total)
    if whole is None:
        return (end_ns - start_ns) / 1e9 - first_s
    whole_s = whole * way.total_unit_s if whole.__class__ in _NUMBERS else _UNKNOWN_S
    return whole_s - first_s if whole_s <= (end_ns - start_ns) / 1e9 else _UNKNOWN_S
