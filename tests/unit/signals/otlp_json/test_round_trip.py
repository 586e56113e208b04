"""Whatever OTLP can say survives its JSON form."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals import otlp_json
from pipeline.signals.signal import Request, Response, Signal
from tests.strategies import messages

signals = st.sampled_from(list(Signal))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Signal, Request]:
    signal = draw(signals)
    return signal, draw(messages(signal.request_class))


@given(_requests())
def test_a_request_survives_json(drawn: tuple[Signal, Request]) -> None:
    signal, request = drawn
    assert _bytes(otlp_json.decode(signal, otlp_json.encode(request))) == _bytes(request)


@st.composite
def _responses(draw: st.DrawFn) -> tuple[Signal, Response]:
    signal = draw(signals)
    return signal, draw(messages(signal.response_class))


@given(_responses())
def test_a_response_survives_json(drawn: tuple[Signal, Response]) -> None:
    signal, response = drawn
    assert _bytes(otlp_json.decode_response(signal, otlp_json.encode(response))) == _bytes(response)


@given(_requests())
def test_snake_case_keys_read_the_same(drawn: tuple[Signal, Request]) -> None:
    signal, request = drawn
    document = json.loads(otlp_json.encode(request))
    assert _bytes(otlp_json.decode(signal, json.dumps(_snake(document)).encode())) == _bytes(request)


def _snake(node: object) -> object:
    if isinstance(node, list):
        return [_snake(item) for item in node]
    if isinstance(node, dict):
        return {_snake_key(key): _snake(value) for key, value in node.items()}
    return node


def _snake_key(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


@pytest.mark.parametrize("signal", list(Signal))
def test_an_empty_request_is_an_empty_object(signal: Signal) -> None:
    assert otlp_json.encode(signal.request_class()) == b"{}"
    assert otlp_json.decode(signal, b"{}") == signal.request_class()
