"""Keys of resources."""

from __future__ import annotations

import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pipeline.exporters.kafka.resource_hash import resource_key
from pipeline.signals import Value
from pipeline.signals.values import set_any_value


def resource(**attributes: Value) -> bytes:
    made = Resource()
    for name, value in attributes.items():
        set_any_value(made.attributes.add(key=name).value, value)
    return made.SerializeToString()


# Computed without the library; test_exporter_collector.py compares with what a real Collector writes.
@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"a": "x"}, "817dfb538e3dbb22d66c754879c54f9a"),
        ({"service.name": "checkout", "host.id": 17}, "62ba6011b9db9828604ef98c0c6b2bb1"),
        (
            {"service.name": "a" * 40, "n": [1, 2.5, True], "m": {"d": b"e"}, "z": None},
            "08a6261b9259e5740cab5562fa41b703",
        ),
    ],
)
def test_vectors(attributes: dict[str, Value], key: str) -> None:
    assert resource_key(resource(**attributes)).hex() == key


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
