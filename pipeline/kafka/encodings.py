"""Record values and batches: `otlp_proto` and `otlp_json` for every signal, `raw`, `text` and `json` for logs."""

from __future__ import annotations

import codecs
import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias, cast

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from pipeline.errors import Code, Rejected
from pipeline.signals import Batch, Context, Signal, Value, intake, otlp_json
from pipeline.signals.plain import as_json, as_text
from pipeline.signals.values import from_any_value, set_any_value

Decoder: TypeAlias = Callable[[bytes, Context], Batch]
"""A batch of one record value (for `otlp_proto`: of several, joined). Raises Rejected for what is malformed."""
Encoder: TypeAlias = Callable[[Batch], list[bytes]]
"""Record values of a batch: one, or for the line-like log encodings one for each log record with a body."""
OnRepair: TypeAlias = Callable[[int], None]
_Write: TypeAlias = Callable[[AnyValue], bytes]

DEFAULT: Final = "otlp_proto"
_NO_CHARSETS: Final = ("idna", "punycode", "undefined", "utf-7")
"""Codecs of Python for other ends; UTF-7 hides what is in a text and is read nowhere else."""
_OTLP: Final = ("otlp_proto", "otlp_json")
_LINES: Final = ("raw", "text", "json")
_CHARSET_PREFIX: Final = "text_"
_OF_OTHERS: Final = {
    Signal.TRACES: ("jaeger_proto", "jaeger_json", "zipkin_proto", "zipkin_json", "zipkin_thrift"),
    Signal.METRICS: (),
    Signal.LOGS: ("azure_resource_logs",),
}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Messages inside each other that a body of a log record may have: protobuf's runtime reads 100, of which four stand
# around the body. A map is three of them (its list, a pair, a value), a list two.
_MAX_LEVELS: Final = 96
_LEVELS_OF_A_MAP: Final = 3
_LEVELS_OF_A_LIST: Final = 2
# What the Collector makes of these names, which is not what the IANA registry makes of them.
_OTHER_CHARSETS: Final = {
    "utf-16": "utf-16-le",
    "utf16": "utf-16-le",
    "utf8-raw": "utf-8",
    "utf-8-raw": "utf-8",
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "nop": "utf-8",
    "": "utf-8",
}


def check_encoding(signal: Signal, name: str) -> str:
    """The name, when it is one of an encoding of this signal.

    Raises:
        ValueError: it is not; the text names those there are.
    """
    if name in _OTLP or (signal is Signal.LOGS and name in _LINES):
        return name
    if signal is Signal.LOGS and name.startswith(_CHARSET_PREFIX):
        _codec(name.removeprefix(_CHARSET_PREFIX))
        return name
    known = ", ".join((*_OTLP, *(*_LINES, "text_<charset>"))) if signal is Signal.LOGS else " or ".join(_OTLP)
    if name in _OF_OTHERS[signal]:
        raise ValueError(f'not supported: encoding "{name}" is not in this release; use {known}')
    raise ValueError(f'unknown {signal.value} encoding "{name}" (encoding extensions are not supported); use {known}')


def decoder(
    signal: Signal,
    name: str,
    *,
    now_ns: Callable[[], int] = time.time_ns,
    on_repair: OnRepair | None = None,
) -> Decoder:
    """What reads record values of an encoding.

    Args:
        signal: of the batches.
        name: one that `check_encoding` takes; ValueError for others.
        now_ns: gives the observed time of log records from `text` and `json`.
        on_repair: is told how many strings had invalid UTF-8, each bad byte of which became U+FFFD.
    """
    check_encoding(signal, name)
    if name == "otlp_proto":
        return partial(_decode_proto, signal, on_repair)
    if name == "otlp_json":
        return partial(_decode_json, signal, on_repair)
    if name == "raw":
        return lambda raw, context: _log(raw, 0, context)
    if name == "json":
        return lambda raw, context: _log(_object(raw, on_repair), now_ns(), context)
    codec = _codec(name.removeprefix("text").removeprefix("_"))
    return lambda raw, context: _log(_text(codec, raw, on_repair), now_ns(), context)


def encoder(signal: Signal, name: str) -> Encoder:
    """What writes record values of an encoding; `otlp_proto` keeps the very bytes of a batch that no one changed."""
    check_encoding(signal, name)
    if name == "otlp_proto":
        return lambda batch: [batch.serialize()]
    if name == "otlp_json":
        return lambda batch: [otlp_json.encode(batch.message)]
    if name == "raw":
        return partial(_bodies, _raw_body)
    if name == "json":
        return partial(_bodies, _json_body)
    codec = _codec(name.removeprefix("text").removeprefix("_"))
    return partial(_bodies, lambda body: codec.encode(as_text(from_any_value(body)), "replace")[0])


def _codec(charset: str) -> codecs.CodecInfo:
    try:
        info = codecs.lookup(_OTHER_CHARSETS.get(charset.lower(), charset))
        # Codecs that are no charsets (base64, rot13) take no bytes, give no text, or are not built for this.
        is_text = info._is_text_encoding  # noqa: SLF001 - the only place where Python says so
    except LookupError:
        is_text = False
    if not is_text or "escape" in info.name or info.name in _NO_CHARSETS:
        raise ValueError(
            f'unsupported encoding "{charset}"; use the IANA name of a charset, for example text_shift_jis'
        )
    return info


def _decode_proto(signal: Signal, on_repair: OnRepair | None, raw: bytes, context: Context) -> Batch:
    return intake.parse(signal, raw, context, on_repair=on_repair)


def _decode_json(signal: Signal, on_repair: OnRepair | None, raw: bytes, context: Context) -> Batch:
    message, repaired = otlp_json.decode_counted(signal, raw)
    if repaired and on_repair is not None:
        on_repair(repaired)
    return intake.of_message(signal, message, context)


def _log(body: Value, observed_ns: int, context: Context) -> Batch:
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(observed_time_unix_nano=observed_ns)
    set_any_value(record.body, body)
    return intake.of_message(Signal.LOGS, message, context)


def _text(codec: codecs.CodecInfo, raw: bytes, on_repair: OnRepair | None) -> str:
    try:
        return codec.decode(raw)[0]
    except UnicodeError:
        if on_repair is not None:
            on_repair(1)
        return codec.decode(raw, "replace")[0]


def _object(raw: bytes, on_repair: OnRepair | None) -> Value:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = _mended(raw)
        if document is not None and on_repair is not None:
            on_repair(1)
    else:
        document = {} if document is None else document
    if not isinstance(document, dict):
        raise Rejected("the record is no JSON object", code=Code.INVALID_ARGUMENT)
    return _with_doubles(document)


def _mended(raw: bytes) -> object:
    """The document behind invalid UTF-8 and lone surrogates; None where that is not all that is wrong."""
    try:
        document = json.loads(raw.decode("utf-8", "replace"))
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        return orjson.loads(_SURROGATE.sub("\ufffd", text))
    except (ValueError, RecursionError):
        return None


def _with_doubles(value: Any, room: int = _MAX_LEVELS) -> Value:
    """JSON has one kind of number: a double, as Go reads it."""
    if isinstance(value, dict):
        room = _less(room, _LEVELS_OF_A_MAP)
        return {key: _with_doubles(item, room) for key, item in value.items()}
    if isinstance(value, list):
        room = _less(room, _LEVELS_OF_A_LIST)
        return [_with_doubles(item, room) for item in value]
    return float(value) if type(value) is int else cast("Value", value)


def _less(room: int, levels: int) -> int:
    if room < levels:
        raise Rejected("the record is nested too deeply", code=Code.INVALID_ARGUMENT)
    return room - levels


def _bodies(write: _Write, batch: Batch) -> list[bytes]:
    message = cast("ExportLogsServiceRequest", batch.message)
    values = [
        write(record.body)
        for group in message.resource_logs
        for scope in group.scope_logs
        for record in scope.log_records
        if record.body.WhichOneof("value") is not None
    ]
    return [value for value in values if value]


def _raw_body(body: AnyValue) -> bytes:
    return body.bytes_value if body.WhichOneof("value") == "bytes_value" else _json_body(body)


def _json_body(body: AnyValue) -> bytes:
    try:
        return as_json(from_any_value(body)).encode()
    except ValueError:
        raise Rejected(
            "a log body holds NaN or an infinite number, which JSON has no word for", divisible=True
        ) from None
