"""OTLP/JSON to messages: a reader per message type, built once from its descriptor.

A reader turns a JSON object into the arguments of the message's constructor; the constructor then fills the whole
tree in C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from pipeline.errors import Code, Rejected
from pipeline.signals.otlp_json.fields import schema_of
from pipeline.signals.otlp_json.scalars import Read, Wrong, scalar_reader
from pipeline.signals.otlp_json.text import load
from pipeline.signals.signal import Request, Response, Signal

ReadMessage: TypeAlias = Callable[[object, int], dict[str, Any]]
M = TypeVar("M", bound=Message)

_MAX_DEPTH: Final = 100  # upb reads no message that is nested deeper, so such a request could not be passed on
_SAFE_DIGITS: Final = 19  # fewer than this are a 64-bit integer
_LEVELS: Final = 3  # resource groups, scope groups, items

_readers: Final[dict[str, ReadMessage]] = {}


def decode(signal: Signal, raw: bytes) -> Request:
    """The export request in an OTLP/JSON body. The document `null` is an empty request.

    Raises:
        Rejected: the body is not JSON, or a value does not fit its field; the text names the path, not the value.
    """
    return decode_counted(signal, raw)[0]


def decode_counted(signal: Signal, raw: bytes) -> tuple[Request, int]:
    """As `decode`, with the number of strings in which invalid text was replaced by U+FFFD."""
    return _decode(signal.request_class, raw)


def decode_response(signal: Signal, raw: bytes) -> Response:
    """The export response in an OTLP/JSON body.

    Raises:
        Rejected: as `decode`.
    """
    return _decode(signal.response_class, raw)[0]


def _decode(message_class: type[M], raw: bytes) -> tuple[M, int]:
    document, mended = load(raw)
    try:
        fields = _reader(schema_of(message_class))(document, -1)
    except Wrong as error:
        raise Rejected(f"{_path(error.path)}: expected {error}", code=Code.INVALID_ARGUMENT) from None
    return _build_message(message_class, fields, _LEVELS), mended


def _build_message(make: Callable[..., M], fields: dict[str, Any], levels: int) -> M:
    """A message of its fields, the items of its lists one by one down to so many levels.

    One call for a whole request would be faster by little and keep every other thread waiting for as long as it takes.
    """
    lists = {name: value for name, value in fields.items() if _is_list_of_messages(value)}
    message = make(**{name: value for name, value in fields.items() if name not in lists} if lists else fields)
    for name, items in lists.items():
        add = getattr(message, name).add
        for item in items:
            if levels > 1:
                _build_message(add, item, levels - 1)
            else:
                add(**item)
    return message


def _is_list_of_messages(value: object) -> bool:
    return type(value) is list and bool(value) and type(value[0]) is dict


def _path(innermost_first: list[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(innermost_first))
    return "".join(steps).removeprefix(".") or "the JSON document"


def _reader(descriptor: Descriptor) -> ReadMessage:
    reader = _readers.get(descriptor.full_name)
    return _build(descriptor) if reader is None else reader


def _build(descriptor: Descriptor) -> ReadMessage:
    table: dict[str, tuple[str, type | None, Read]] = {}
    find = table.get

    def read_message(value: object, depth: int) -> dict[str, Any]:
        if type(value) is not dict:
            if value is None:
                return {}
            raise Wrong("an object")
        depth += 1
        if depth > _MAX_DEPTH:
            raise Wrong(f"no more than {_MAX_DEPTH} levels of messages")
        out: dict[str, Any] = {}
        key = ""
        try:
            for key, item in value.items():
                field = find(key)
                if field is not None:
                    name, as_it_is, read = field
                    out[name] = item if type(item) is as_it_is else read(item, depth)
        except Wrong as error:
            error.path.append(key)
            raise
        return out

    _readers[descriptor.full_name] = read_message  # before the fields: AnyValue holds itself
    for field in descriptor.fields:
        table[field.name] = table[field.json_name] = (field.name, *_field_reader(field))
    return read_message


def _field_reader(field: FieldDescriptor) -> tuple[type | None, Read]:
    if field.message_type is None:
        as_it_is, scalar = scalar_reader(field)
        return (None, _list_reader(scalar)) if field.is_repeated else (as_it_is, scalar)
    message = _reader(field.message_type)
    if field.message_type is schema_of(KeyValue):
        message = _pair_reader(message)
    return None, _list_reader(message) if field.is_repeated else message


def _pair_reader(read_other: ReadMessage) -> ReadMessage:
    """Attributes are most of a span, and most of them are texts and counts: those take a shortcut."""

    def read(value: object, depth: int) -> dict[str, Any]:
        if type(value) is dict and len(value) == 2 and depth < _MAX_DEPTH - 1:
            key, inner = value.get("key"), value.get("value")
            if type(key) is str and type(inner) is dict and len(inner) == 1:
                text = inner.get("stringValue")
                if type(text) is str:
                    return {"key": key, "value": {"string_value": text}}
                digits = inner.get("intValue")
                if type(digits) is str and digits.isdigit() and digits.isascii() and len(digits) < _SAFE_DIGITS:
                    return {"key": key, "value": {"int_value": int(digits)}}
        return read_other(value, depth)

    return read


def _list_reader(read_item: Read) -> Read:
    def read(value: object, depth: int) -> list[object]:
        if type(value) is not list:
            if value is None:
                return []
            raise Wrong("a list")
        out: list[object] = []
        append = out.append
        try:
            for item in value:
                append(read_item(item, depth))
        except Wrong as error:
            error.path.append(len(out))
            raise
        return out

    return read
