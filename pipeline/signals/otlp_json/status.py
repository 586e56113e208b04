"""google.rpc.Status in JSON: the body of an OTLP/HTTP error."""

from __future__ import annotations

import orjson
from google.protobuf import json_format
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from pipeline.errors import Code, Rejected

# Details are `Any` messages: JSON can only name types that are loaded, RetryInfo above all.
_DETAIL_TYPES = frozenset(error_details_pb2.DESCRIPTOR.message_types_by_name)


def encode_status(status: Status) -> bytes:
    """The JSON form of a status. Details of types other than google.rpc's have no JSON form and are left out."""
    kept = [detail for detail in status.details if _is_known(detail.TypeName())]
    plain = Status(code=status.code, message=status.message, details=kept)
    return orjson.dumps(json_format.MessageToDict(plain))


def decode_status(raw: bytes) -> Status:
    """The status in a JSON body; details that cannot be read are left out.

    Raises:
        Rejected: the body is not a JSON status.
    """
    try:
        document = orjson.loads(raw)
        details = document.pop("details", None) or []
        status = json_format.ParseDict(document, Status(), ignore_unknown_fields=True)
    except (ValueError, TypeError, AttributeError, json_format.ParseError):
        raise Rejected("the body is not a google.rpc.Status in JSON", code=Code.INVALID_ARGUMENT) from None
    for detail in details:
        _add_detail(status, detail)
    return status


def _add_detail(status: Status, detail: object) -> None:
    try:
        read = json_format.ParseDict({"details": [detail]}, Status(), ignore_unknown_fields=True)
    except json_format.ParseError:
        return
    status.details.extend(read.details)


def _is_known(type_name: str) -> bool:
    package, _, name = type_name.rpartition(".")
    return package == "google.rpc" and name in _DETAIL_TYPES
