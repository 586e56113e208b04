"""google.rpc.Status in JSON: the body of an OTLP/HTTP error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import google.rpc.error_details_pb2  # noqa: F401 - JSON can only show details whose types are loaded
import orjson
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from pipeline.errors import Code, Rejected


def encode_status(status: Status) -> bytes:
    """The JSON form of a status. Details of types other than google.rpc's have no JSON form and are left out."""
    document = json_format.MessageToDict(Status(code=status.code, message=status.message))
    details = list(_written(status.details))
    return orjson.dumps({**document, "details": details} if details else document)


def _written(details: Iterable[AnyMessage]) -> Iterator[object]:
    for detail in details:
        try:
            yield json_format.MessageToDict(detail)
        except (TypeError, DecodeError, json_format.Error):
            continue


def decode_status(raw: bytes) -> Status:
    """The status in a JSON body; details that cannot be read are left out.

    Raises:
        Rejected: the body is not a JSON status.
    """
    try:
        document = orjson.loads(raw)
        details = document.pop("details", None)
        status = json_format.ParseDict(document, Status(), ignore_unknown_fields=True)
    except (ValueError, TypeError, AttributeError, json_format.Error):
        raise Rejected("the body is not a google.rpc.Status in JSON", code=Code.INVALID_ARGUMENT) from None
    status.details.extend(_read(details if isinstance(details, list) else []))
    return status


def _read(details: Iterable[object]) -> Iterator[AnyMessage]:
    for detail in details:
        try:
            yield from json_format.ParseDict({"details": [detail]}, Status(), ignore_unknown_fields=True).details
        except (TypeError, AttributeError, json_format.Error):
            continue
