"""Error bodies of OTLP/HTTP."""

from __future__ import annotations

import json

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Rejected
from pipeline.signals.otlp_json import decode_status, encode_status

KEYS = ["@type", "value", "retryDelay", "reason", "domain", "metadata", "violations", "links", "fieldViolations"]
TYPES = [
    *(f"type.googleapis.com/google.rpc.{name}" for name in ("RetryInfo", "ErrorInfo", "BadRequest", "Status")),
    *(f"type.googleapis.com/google.protobuf.{name}" for name in ("Duration", "Any", "Struct", "Timestamp")),
]


def _with_retry(seconds: int) -> Status:
    status = Status(code=14, message="full")
    status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
    return status


def test_code_and_message() -> None:
    assert json.loads(encode_status(Status(code=3, message="bad"))) == {"code": 3, "message": "bad"}


def test_retry_info_survives() -> None:
    assert decode_status(encode_status(_with_retry(7))) == _with_retry(7)


@pytest.mark.parametrize("type_url", ["type.googleapis.com/some.Unknown", "", "type.googleapis.com/google.rpc.Nothing"])
def test_details_without_a_json_form_are_left_out(type_url: str) -> None:
    status = _with_retry(7)
    status.details.append(Any(type_url=type_url, value=b"x"))
    assert decode_status(encode_status(status)) == _with_retry(7)


def test_damaged_details_are_left_out() -> None:
    status = Status(code=14)
    status.details.append(Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff"))
    assert json.loads(encode_status(status)) == {"code": 14}


@pytest.mark.parametrize("details", [b"5", b"{}", b"null", b'["x"]', b'[{"@type":5}]', b"[{}]"])
def test_details_of_any_shape(details: bytes) -> None:
    assert decode_status(b'{"code":1,"details":' + details + b"}").code == 1


def test_unreadable_details_do_not_hide_the_code() -> None:
    body = b'{"code":14,"message":"m","details":[{"@type":"type.googleapis.com/some.Unknown"},5],"more":1}'
    assert decode_status(body) == Status(code=14, message="m")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'{"code":"x"}', b'{"message":1}'])
def test_other_bodies(body: bytes) -> None:
    with pytest.raises(Rejected, match=r"google\.rpc\.Status"):
        decode_status(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["code", "message", "details", "x"]), _json) | _json)
def test_any_document_is_read_or_rejected(document: object) -> None:
    try:
        status = decode_status(json.dumps(document).encode())
    except Rejected:
        return
    assert decode_status(encode_status(status)).code == status.code


@given(
    st.integers(-(2**31), 2**31 - 1), st.text(), st.lists(st.tuples(st.sampled_from(TYPES), st.binary()), max_size=3)
)
def test_any_status_is_written(code: int, message: str, details: list[tuple[str, bytes]]) -> None:
    status = Status(code=code, message=message, details=[Any(type_url=url, value=value) for url, value in details])
    assert (decode_status(encode_status(status)).code, decode_status(encode_status(status)).message) == (code, message)
