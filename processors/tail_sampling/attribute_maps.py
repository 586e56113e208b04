"""Attributes of spans by name, without a walk over all of them: the protobuf runtime sorts them into a map.

On the wire a map is a repeated message of key (field 1) and value (field 2) (Protocol Buffers, "Maps"), which is what
OTLP's list of KeyValue is. Read with a schema that says map, a look-up is one call in C: with 18 attributes that takes
half the time of a walk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.common.v1 import common_pb2

from pipeline.signals.values import from_any_value

_PACKAGE: Final = "penstock.attribute_maps"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _schema() -> Any:
    """Class of ScopeSpans with nothing but spans, and of them nothing but attributes, as a map."""
    file = descriptor_pb2.FileDescriptorProto(
        name="penstock/attribute_maps.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[common_pb2.DESCRIPTOR.name],
    )
    span = file.message_type.add(name="Span")
    entry = span.nested_type.add(name="AttributesEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    value = common_pb2.AnyValue.DESCRIPTOR.full_name
    _add_message(entry, "value", 2, value, _FIELD.LABEL_OPTIONAL)
    _add_message(span, "attributes", 9, f"{_PACKAGE}.Span.AttributesEntry")
    _add_message(file.message_type.add(name="ScopeSpans"), "spans", 2, f"{_PACKAGE}.Span")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ScopeSpans"))


def _add_message(message: Any, name: str, number: int, type_name: str, label: Any = _FIELD.LABEL_REPEATED) -> None:
    message.field.add(name=name, number=number, type=_FIELD.TYPE_MESSAGE, type_name=f".{type_name}", label=label)


_ScopeSpans: Final = _schema()


def named_attributes(body: bytes, spans: Sequence[Any], names: Collection[str]) -> list[dict[str, Any]]:
    """For each of `spans`, which are in `body` with their tags, those attributes that have one of the names."""
    maps = _ScopeSpans.FromString(body).spans
    if len(spans) == 1:
        # To ask for the first costs less than an iterator, which protobuf's runtime ends with an exception.
        return [_looked_up(maps[0].attributes, spans[0], names)]
    return [_looked_up(each.attributes, span, names) for each, span in zip(maps, spans, strict=True)]


def _looked_up(attributes: Any, span: Any, names: Collection[str]) -> dict[str, Any]:
    if len(attributes) != len(span.attributes):
        # Something is there twice: in a map the last counts.
        return named(span.attributes, names)
    return {name: from_any_value(attributes[name]) for name in names if name in attributes}


def named(pairs: Any, names: Collection[str]) -> dict[str, Any]:
    """Values of the key-value pairs with these names; of a repeated name the first counts."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key = pair.key
        if key in names and key not in found:
            found[key] = from_any_value(pair.value)
    return found


__all__ = ["named", "named_attributes"]
