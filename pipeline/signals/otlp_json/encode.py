"""OTLP messages to JSON: one small encoder per message type, built once from its descriptor."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from pipeline.signals.otlp_json.fields import INT64, UINT64, id_size_bytes, schema_of

Convert: TypeAlias = Callable[[Any], object]
Encoder: TypeAlias = Callable[[Message], dict[str, object]]

_encoders: Final[dict[str, Encoder]] = {}


def encode(message: Message) -> bytes:
    """The OTLP/JSON form of any OTLP message, UTF-8, on one line. Fields without a name in the schema are left out."""
    return orjson.dumps(_encoder(schema_of(message))(message))


def _encoder(descriptor: Descriptor) -> Encoder:
    encoder = _encoders.get(descriptor.full_name)
    return _build(descriptor) if encoder is None else encoder


def _build(descriptor: Descriptor) -> Encoder:
    table: dict[FieldDescriptor, tuple[str, Convert | None]] = {}

    def encode_message(message: Message) -> dict[str, object]:
        out = {}
        for field, value in message.ListFields():
            name, convert = table[field]
            out[name] = value if convert is None else convert(value)
        return out

    _encoders[descriptor.full_name] = encode_message  # before the fields: AnyValue holds itself
    for field in descriptor.fields:
        table[field] = (field.json_name, _converter(field))
    return encode_message


def _converter(field: FieldDescriptor) -> Convert | None:
    """How to write a value of the field; None where orjson writes it rightly itself."""
    one = _one(field)
    if not field.is_repeated or one is None:
        return list if field.is_repeated else one
    return _each_pair(one) if field.message_type is schema_of(KeyValue) else _each(one)


def _one(field: FieldDescriptor) -> Convert | None:
    if field.message_type is not None:
        return _encoder(field.message_type)
    if field.type in INT64 or field.type in UINT64:
        return str
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64 if id_size_bytes(field) is None else bytes.hex
    return _double if field.type == FieldDescriptor.TYPE_DOUBLE else None


def _each(convert: Convert) -> Convert:
    def convert_all(values: Iterable[Any]) -> list[object]:
        return [convert(value) for value in values]

    return convert_all


def _each_pair(convert: Convert) -> Convert:
    """Attributes are most of a span, and most of them are texts and counts: those take a shortcut."""

    def convert_one(pair: KeyValue) -> object:
        value = pair.value
        if text := value.string_value:
            written = {"stringValue": text}
        elif number := value.int_value:
            written = {"intValue": str(number)}
        else:
            return convert(pair)
        return convert(pair) if pair.key_strindex else {"key": pair.key, "value": written}

    return _each(convert_one)


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _double(value: float) -> float | str:
    """JSON has no words for the non-finite numbers; protobuf's JSON mapping writes these strings."""
    if value - value == 0.0:
        return value
    if value != value:  # noqa: PLR0124 - the test for NaN that costs no call
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
