"""Writing on kept spans what they stand for, on the wire: most spans only get further protobuf fields behind their own.

That is valid protobuf: of a string the last on the wire counts, and repeated fields may stand anywhere (Protocol
Buffers, "Encoding"). Only a span that brought attributes of ours is written anew.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pipeline.signals.repeated import remove_items
from pipeline.signals.wire import encode_varint, read_varint
from processors.sampling.thresholds import NEVER, adjusted_count_of, randomness_digits, randomness_of, threshold_digits
from processors.sampling.tracestate import TraceState

RULE: Final = "penstock.sampling.rule"
ADJUSTED_COUNT: Final = "penstock.sampling.adjusted_count"
_OURS_RAW: Final = b"penstock.sampling."

# Tags of opentelemetry/proto (v1): ScopeSpans.spans = 2, Span.trace_state = 3, Span.attributes = 9; KeyValue.key = 1,
# .value = 2; AnyValue.string_value = 1, .double_value = 4.
_SPAN: Final = b"\x12"
_TRACE_STATE: Final = b"\x1a"
_ATTRIBUTE: Final = b"\x4a"
_KEY: Final = b"\x0a"
_VALUE: Final = b"\x12"
_STRING: Final = b"\x0a"
_DOUBLE: Final = b"\x21"
_ID: Final = b"\x0a\x10"
_OTHER_ID: Final = b"\x12\x08"

_pack_double: Final = struct.Struct("<d").pack
_COUNT_HEAD: Final = b"%b%c%b%c%b%b\x09%b" % (
    _ATTRIBUTE, 2 + len(ADJUSTED_COUNT) + 2 + 9, _KEY, len(ADJUSTED_COUNT), ADJUSTED_COUNT.encode(), _VALUE, _DOUBLE,
)  # fmt: skip

FEW_BYTES: Final = 1 << 14
SPAN_HEADS: Final = tuple(_SPAN + encode_varint(length) for length in range(FEW_BYTES))
"""Tag and length of a span, by its length; of fewer than FEW_BYTES, which nearly all have."""


class Mark:
    """What is written on the spans of one trace.

    Attributes:
        suffix: the fields that a span without tracestate and without attributes of ours gets.
    """

    __slots__ = ("_attributes", "_keeps_weights", "_last", "_randomness", "_replaced", "_threshold", "suffix")

    def __init__(
        self,
        threshold: int | None,
        rule: str = "",
        *,
        randomness: int | None = None,
        attributes: Mapping[str, str] | None = None,
        keeps_weights: bool = False,
    ) -> None:
        """A decision: T (None: unknown), the rule that kept the trace, and R where it is not that of the trace id.

        `randomness` is written as `rv` on spans that came without `rv` and `th`. `attributes` are further ones, with
        names below `penstock.sampling.`. With `keeps_weights`, tracestate and adjusted count stay as they came: for
        who only annotates.
        """
        self._threshold = None if threshold is None or threshold >= NEVER else threshold
        self._randomness = randomness
        self._attributes = {RULE: rule} if rule else {}
        if attributes:
            self._attributes |= attributes
        self._keeps_weights = keeps_weights
        self._replaced = {*self._attributes} if keeps_weights else {*self._attributes, ADJUSTED_COUNT}
        self.suffix = self._fields()
        # Trace id and tracestate of a span, and what it got: most of a trace are alike.
        self._last: tuple[bytes | None, str, bytes] = None, "", b""

    def _fields(self) -> bytes:
        fields = _string_fields(tuple(self._attributes.items()))
        if self._keeps_weights:
            return fields
        threshold, randomness = self._threshold, self._randomness
        own = "ot=" if randomness is None else f"ot=rv:{randomness_digits(randomness)};"
        if threshold is not None:
            fields += _COUNT_HEAD + _pack_double(adjusted_count_of(threshold))
            own = f"{own}th:{threshold_digits(threshold)}"
        elif randomness is None:
            return fields
        own = own.rstrip(";")
        return b"%b%b%c%b" % (fields, _TRACE_STATE, len(own), own.encode())

    def write(self, spans: bytes, *, has_tracestate: bool = True) -> bytes:
        """Consecutive spans of a ScopeSpans and of one trace, each with its tag and length, and with this mark.

        `has_tracestate` says whether some of them may have one; where none has, no span is parsed.
        """
        if (has_tracestate and not self._keeps_weights) or _OURS_RAW in spans or not self._is_reached(spans):
            return self._written_anew(spans)
        suffix = self.suffix
        return _appended(spans, suffix) if suffix else spans

    def _is_reached(self, spans: bytes) -> bool:
        """Whether R of the trace id reaches T; else these spans were kept by an `rv` that is on others of the trace."""
        if not self._threshold or self._randomness is not None or self._keeps_weights:
            return True
        trace_id = _first_trace_id(spans)
        return trace_id is not None and int.from_bytes(trace_id[-7:], "big") >= self._threshold

    def _written_anew(self, spans: bytes) -> bytes:
        parts: list[bytes] = []
        position, end = 0, len(spans)
        while position < end:
            length, body = read_varint(spans, position + 1)
            position = body + length
            parts.append(_field(_SPAN, self._one(spans[body:position])))
        return b"".join(parts)

    def _one(self, raw: bytes) -> bytes:
        span = Span.FromString(raw)
        if _OURS_RAW in raw:
            return self._replacing(span)
        trace_id, text = span.trace_id, span.trace_state
        last_id, last_text, suffix = self._last
        if trace_id != last_id or text != last_text:
            suffix = self.suffix if self._keeps_weights else self._fields_behind(text, trace_id)
            self._last = trace_id, text, suffix
        return raw + suffix

    def _replacing(self, span: Span) -> bytes:
        """A span that has attributes of ours already."""
        remove_items(span.attributes, [pair.key in self._replaced for pair in span.attributes])
        for key, value in self._attributes.items():
            span.attributes.add(key=key).value.string_value = value
        if not self._keeps_weights:
            span.trace_state, threshold = self._state(span.trace_state, span.trace_id)
            if threshold is not None:
                span.attributes.add(key=ADJUSTED_COUNT).value.double_value = adjusted_count_of(threshold)
        return span.SerializeToString()

    def _fields_behind(self, text: str, trace_id: bytes) -> bytes:
        """What a span with this tracestate gets; an empty tracestate where nothing is left of its own."""
        written, threshold = self._state(text, trace_id)
        fields = _string_fields(tuple(self._attributes.items()))
        if threshold is not None:
            fields += _COUNT_HEAD + _pack_double(adjusted_count_of(threshold))
        return fields if written == text else fields + _field(_TRACE_STATE, written.encode())

    def _state(self, text: str, trace_id: bytes) -> tuple[str, int | None]:
        """The tracestate that a span gets in place of `text`, and T in it."""
        state = TraceState.read(text)
        incoming = state.threshold
        randomness = state.randomness
        if randomness is None and incoming is None and self._randomness is not None:
            randomness = state.randomness = self._randomness
        if randomness is None:
            randomness = randomness_of(trace_id)
        threshold = self._threshold
        if threshold is not None and incoming is not None and incoming <= randomness:
            threshold = max(threshold, incoming)
        if threshold is not None and threshold > randomness:
            # Decided with another R than this span's: how likely that was, nobody knows.
            threshold = None
        state.threshold = threshold
        return state.write(), threshold


@lru_cache(maxsize=4096)
def mark_of(threshold: int | None, rule: str) -> Mark:
    """The mark of a decision; made once for many traces, since most thresholds come again and again."""
    return Mark(threshold, rule)


def _appended(spans: bytes, suffix: bytes) -> bytes:
    """The spans, each with `suffix` behind its own fields."""
    more = len(suffix)
    parts: list[bytes] = []
    position, end = 0, len(spans)
    while position < end:
        length, body = spans[position + 1], position + 2
        if length > 0x7F:
            # Nearly all lengths have one or two bytes.
            high, body = spans[body], body + 1
            length += (high - 1) << 7
            if high > 0x7F:
                length, body = read_varint(spans, position + 1)
        position = body + length
        length += more
        head = SPAN_HEADS[length] if length < FEW_BYTES else _SPAN + encode_varint(length)
        parts += (head, spans[body:position], suffix)
    return b"".join(parts)


def _first_trace_id(spans: bytes) -> bytes | None:
    """Of the first span, where it stands where SDKs and the Collector write it: at its begin or its end."""
    length, body = spans[1], 2
    if length > 0x7F:
        length, body = read_varint(spans, 1)
    if spans[body : body + 2] == _ID:
        return spans[body + 2 : body + 18]
    end = body + length
    if spans[end - 18 : end - 16] == _ID and spans[end - 28 : end - 26] == _OTHER_ID:
        return spans[end - 16 : end]
    return None


def _field(tag: bytes, body: bytes) -> bytes:
    return tag + encode_varint(len(body)) + body


@lru_cache(maxsize=1024)
def _string_fields(attributes: tuple[tuple[str, str], ...]) -> bytes:
    return b"".join(
        _field(_ATTRIBUTE, _field(_KEY, key.encode()) + _field(_VALUE, _field(_STRING, value.encode())))
        for key, value in attributes
    )
