"""The codec on what real LLM instrumentations send."""

from __future__ import annotations

import base64
import json

import pytest
from google.protobuf import json_format

from pipeline.signals.otlp_json import decode, encode
from pipeline.signals.signal import Request, Signal
from processors.demo import recordings

EXPORTS = [export for recording in recordings.load() for export in recording.exports()]
IDS = {"traceId", "spanId", "parentSpanId"}


def _requests(signal: Signal) -> list[Request]:
    bodies = [e.body for e in EXPORTS if e.signal == signal and e.content_type == "application/x-protobuf"]
    return [signal.request_class.FromString(body) for body in bodies]


def _with_hex_ids(node: object) -> object:
    if isinstance(node, list):
        return [_with_hex_ids(item) for item in node]
    if isinstance(node, dict):
        return {
            key: base64.b64decode(value).hex() if key in IDS else _with_hex_ids(value) for key, value in node.items()
        }
    return node


@pytest.mark.parametrize("signal", list(Signal))
def test_recorded_requests_survive_json(signal: Signal) -> None:
    requests = _requests(signal)
    assert requests
    for request in requests:
        assert decode(signal, encode(request)) == request


@pytest.mark.parametrize("signal", list(Signal))
def test_it_differs_from_protobufs_own_json_in_ids_alone(signal: Signal) -> None:
    for request in _requests(signal):
        expected = _with_hex_ids(json_format.MessageToDict(request, use_integers_for_enums=True))
        assert json.loads(encode(request)) == expected


def test_recorded_json_is_read() -> None:
    exports = [export for export in EXPORTS if export.content_type == "application/json"]
    assert exports
    for export in exports:
        signal = Signal(export.signal)
        request = decode(signal, export.body)
        assert request.ByteSize()
        assert decode(signal, encode(request)) == request
