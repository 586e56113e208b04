"""Taking spans out of a request on the wire, and giving others a tracestate, without making or writing messages.

A tracestate is appended to the fields of its span: of a string that stands twice the last one counts (Protocol
Buffers, "Encoding").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from pipeline.signals.wire import encode_varint, fields, read_varint, skip
from processors.probabilistic_sampler.spans import Fate
from processors.sampling.marking import FEW_BYTES, SPAN_HEADS

# Tags of opentelemetry/proto/trace/v1: Request.resource_spans = 1, ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2,
# Span.trace_state = 3.
_RESOURCE_SPANS: Final = 1
_CHILDREN: Final = 2
_RESOURCE_SPANS_TAG: Final = b"\x0a"
_CHILD_TAG: Final = b"\x12"
_SPAN: Final = 0x12
_TRACE_STATE_TAG: Final = b"\x1a"

_Part: TypeAlias = bytes | memoryview


class MisalignedError(Exception):
    """The bytes do not show the spans that the message has."""


def cut(raw: bytes, scopes: Sequence[Sequence[Sequence[Fate]]]) -> bytes:
    """The request without the spans that are not kept, and without scopes and resources that this leaves empty.

    `scopes` has the fates of all spans: by resource, scope, and place.

    Raises:
        MisalignedError: the bytes have another structure than `scopes`.
    """
    view = memoryview(raw)
    head, groups = fields(view, (_RESOURCE_SPANS,))
    _check(len(groups), len(scopes))
    parts: list[_Part] = [head]
    for (_, start, body, end), inner in zip(groups, scopes, strict=True):
        kept = _resource(raw, view, (body, end), inner)
        if kept is None:
            parts.append(view[start:end])
        elif kept:
            parts += (_RESOURCE_SPANS_TAG, encode_varint(sum(map(len, kept))), *kept)
    return b"".join(parts)


def _resource(
    raw: bytes, view: memoryview, place: tuple[int, int], scopes: Sequence[Sequence[Fate]]
) -> list[_Part] | None:
    """The fields of a resource; nothing where no scope is left, None where there was none to lose."""
    first, last = place
    head, groups = fields(view[first:last], (_CHILDREN,))
    _check(len(groups), len(scopes))
    parts: list[_Part] = [head]
    for (_, start, body, end), fates in zip(groups, scopes, strict=True):
        if not fates:
            parts.append(view[first + start : first + end])
        elif kept := _scope(raw, view, (first + body, first + end), fates):
            parts += (_CHILD_TAG, encode_varint(sum(map(len, kept))), *kept)
    if len(parts) == 1:
        return [] if groups else None
    return parts


def _scope(raw: bytes, view: memoryview, place: tuple[int, int], fates: Sequence[Fate]) -> list[_Part]:
    """The fields of a scope; nothing where no span is left."""
    position, end = place
    parts: list[_Part] = []
    head: list[_Part] = []
    suffixes: dict[str, bytes] = {}
    number = 0
    while position < end:
        start = position
        if raw[position] != _SPAN:
            position = _skip(raw, position)
            head.append(view[start:position])
            continue
        length, body = raw[position + 1], position + 2
        if length > 0x7F:
            # Nearly all lengths have one or two bytes.
            high, body = raw[body], body + 1
            length += (high - 1) << 7
            if high > 0x7F:
                length, body = read_varint(raw, position + 1)
        position = body + length
        if number == len(fates):
            raise MisalignedError
        verdict, text = fates[number]
        number += 1
        if not verdict.kept:
            continue
        if text is None:
            parts.append(view[start:position])
            continue
        suffix = suffixes.get(text)
        if suffix is None:
            encoded = text.encode()
            suffix = suffixes[text] = _TRACE_STATE_TAG + encode_varint(len(encoded)) + encoded
        length += len(suffix)
        span_head = SPAN_HEADS[length] if length < FEW_BYTES else _CHILD_TAG + encode_varint(length)
        parts += (span_head, view[body:position], suffix)
    _check(number, len(fates))
    return head + parts if parts else []


def _skip(raw: bytes, position: int) -> int:
    tag, position = read_varint(raw, position)
    return skip(raw, position, tag)


def _check(found: int, wanted: int) -> None:
    if found != wanted:
        raise MisalignedError
