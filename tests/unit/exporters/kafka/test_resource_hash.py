"""Keys of resources."""

from __future__ import annotations

import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pipeline.exporters.kafka.resource_hash import resource_key, xxh64
from pipeline.signals import Value
from pipeline.signals.values import set_any_value


def resource(**attributes: Value) -> bytes:
    made = Resource()
    for name, value in attributes.items():
        set_any_value(made.attributes.add(key=name).value, value)
    return made.SerializeToString()


# Of the reference implementation (`xxhsum -H1`), seed 0.
@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_xxh64(data: bytes, digest: int) -> None:
    assert xxh64(data) == digest


def test_the_order_of_attributes_does_not_count() -> None:
    assert resource_key(resource(a="x", b=[1, 2.5, True], c={"d": b"e"})) == resource_key(
        resource(c={"d": b"e"}, b=[1, 2.5, True], a="x")
    )


def test_each_difference_counts() -> None:
    values: list[Value] = ["1", 1, 1.0, True, False, b"1", [1], {"1": 1}, "", [], None]
    keys = {resource_key(resource(a=value)) for value in values} | {resource_key(resource(b="1"))}
    assert len(keys) == len(values) + 1
    assert all(len(key) == 16 for key in keys)


def test_no_attributes() -> None:
    assert resource_key(b"") == bytes(16)
    made = Resource(dropped_attributes_count=3)
    assert resource_key(made.SerializeToString()) == bytes(16)
