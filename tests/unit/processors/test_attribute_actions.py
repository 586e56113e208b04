"""Actions on attributes: what each does, and configurations that mean nothing."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.signals import Auth, Context, Value
from pipeline.testing import traces
from processors.attribute_actions import Action, hash_value, steps

CONTEXT = Context(peer="10.0.0.1", metadata={"x-tenant": ("one", "two")}, auth=Auth("ann"))


def _after(attributes: dict[str, Value], *actions: dict[str, Any]) -> dict[str, Value]:
    batch = traces(attributes)
    record = batch.records()[0]
    for step in steps([Action(**action) for action in actions]):
        step(record.attributes, CONTEXT)
    batch.serialize()
    return dict(record.attributes)


@pytest.mark.parametrize(
    ("action", "missing", "present"),
    [
        ("insert", {"k": 1}, {"k": 0}),
        ("update", {}, {"k": 1}),
        ("upsert", {"k": 1}, {"k": 1}),
        ("UPSERT", {"k": 1}, {"k": 1}),
    ],
)
def test_setting(action: str, missing: dict[str, Value], present: dict[str, Value]) -> None:
    assert _after({}, {"action": action, "key": "k", "value": 1}) == missing
    assert _after({"k": 0}, {"action": action, "key": "k", "value": 1}) == present


@pytest.mark.parametrize("value", ["", "a", 0, 1.5, False, ["a", 1], {"a": {"b": 2}}])
def test_values_keep_their_type(value: Value) -> None:
    after = _after({}, {"action": "insert", "key": "k", "value": value})
    assert (type(after["k"]), after["k"]) == (type(value), value)


def test_value_of_another_attribute() -> None:
    action = {"action": "insert", "key": "copy", "from_attribute": "source"}
    assert _after({"source": [1]}, action) == {"source": [1], "copy": [1]}
    assert _after({}, action) == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("metadata.X-Tenant", {"k": "one;two"}),
        ("metadata.missing", {}),
        ("auth.subject", {"k": "ann"}),
        ("client.address", {"k": "10.0.0.1"}),
    ],
)
def test_value_of_the_request(source: str, expected: dict[str, Value]) -> None:
    assert _after({}, {"action": "insert", "key": "k", "from_context": source}) == expected


def test_delete_by_key_and_pattern() -> None:
    attributes: dict[str, Value] = {"user.name": 1, "user.mail": 2, "other": 3, "keep": 4}
    assert _after(attributes, {"action": "delete", "key": "other", "pattern": r"^user\."}) == {"keep": 4}
    assert _after(attributes, {"action": "delete", "key": "missing"}) == attributes


def test_hash_by_key_and_pattern() -> None:
    digest = hashlib.sha256(b"ann").hexdigest()
    assert _after({"a": "ann", "b": "x"}, {"action": "hash", "key": "a"}) == {"a": digest, "b": "x"}
    assert _after({"a": "ann", "b": "ann"}, {"action": "hash", "pattern": "."}) == {"a": digest, "b": digest}


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("é", "é".encode()),
        ("", b""),
        (True, b"\1"),
        (False, b"\0"),
        (1, b"\1" + b"\0" * 7),
        (1.0, b"\0" * 6 + b"\xf0?"),
    ],
)
def test_hashed_bytes(value: Value, data: bytes) -> None:
    assert hash_value(value) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("value", [b"x", ["x"], {"x": 1}, None])
def test_values_without_hash(value: Value) -> None:
    assert hash_value(value) == ""


def test_extract_named_groups() -> None:
    action = {"action": "extract", "key": "path", "pattern": r"^/(?P<area>\w+)(?P<id>/\d+)?"}
    assert _after({"path": "/shop/17", "id": "old"}, action) == {"path": "/shop/17", "area": "shop", "id": "/17"}
    assert _after({"path": "/shop"}, action) == {"path": "/shop", "area": "shop", "id": ""}
    assert _after({"path": "none"}, action) == {"path": "none"}
    assert _after({"path": 17}, action) == {"path": 17}


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("17", "int", 17),
        ("+5", "int", 5),
        (" 5", "int", " 5"),
        ("1_0", "int", "1_0"),
        ("99999999999999999999", "int", "99999999999999999999"),
        ("٣", "int", "٣"),
        (2.9, "int", 2),
        (float("nan"), "int", -(2**63)),
        (True, "int", 1),
        ([1], "int", [1]),
        ("2.5", "double", 2.5),
        ("1e400", "double", "1e400"),
        ("-Infinity", "double", float("-inf")),
        ("0x1p-2", "double", 0.25),
        ("0x1p99999", "double", "0x1p99999"),
        ("0x1F", "double", "0x1F"),
        ("x", "double", "x"),
        (3, "double", 3.0),
        (False, "double", 0.0),
        (None, "double", None),
        (3.0, "string", "3"),
        (True, "string", "true"),
        (["a"], "string", '["a"]'),
    ],
)
def test_convert(value: Value, kind: str, expected: Value) -> None:
    after = _after({"k": value}, {"action": "convert", "key": "k", "converted_type": kind})
    assert (type(after["k"]), after["k"]) == (type(expected), expected)
    assert _after({}, {"action": "convert", "key": "k", "converted_type": kind}) == {}


@given(st.text(max_size=12))
def test_no_text_breaks_a_conversion(text: str) -> None:
    for kind in ("int", "double", "string"):
        for step in steps([Action(action="convert", key="k", converted_type=kind)]):
            attributes = traces({"k": text}).records()[0].attributes
            step(attributes, CONTEXT)
            assert isinstance(attributes["k"], str | int | float)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"action": "rename", "key": "a"}, "Input should be"),
        ({"action": "insert", "value": 1}, "needs key"),
        ({"action": "insert", "key": "a"}, "exactly one of value"),
        ({"action": "update", "key": "a", "value": 1, "from_attribute": "b"}, "exactly one of value"),
        ({"action": "insert", "key": "a", "value": 1, "pattern": "x"}, '"pattern" has no meaning'),
        ({"action": "insert", "key": "a", "from_context": "cookie.x"}, "write metadata.X"),
        ({"action": "delete"}, "needs key or pattern"),
        ({"action": "hash", "key": "a", "value": 1}, '"value" has no meaning'),
        ({"action": "delete", "pattern": "("}, "RE2"),
        ({"action": "extract", "key": "a"}, "needs pattern"),
        ({"action": "extract", "key": "a", "pattern": "x"}, "no named group"),
        ({"action": "extract", "key": "a", "pattern": "(?P<a>x)(y)"}, "without a name"),
        ({"action": "convert", "key": "a"}, "needs converted_type"),
        ({"action": "convert", "key": "a", "converted_type": "bool"}, "Input should be"),
    ],
)
def test_meaningless_actions_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Action(**keys)


def test_an_empty_pattern_is_none() -> None:
    assert Action(action="insert", key="a", value=1, pattern="").pattern is None
    with pytest.raises(ValidationError, match="needs key or pattern"):
        Action(action="delete", pattern="")
