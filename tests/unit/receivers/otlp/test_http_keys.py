"""Keys of `protocols.http` beside those of test_http_settings.py."""

from __future__ import annotations

import pytest

from pipeline.errors import StartError
from pipeline.signals import Signal
from pipeline.testing import CollectingSink, trace_request
from tests.unit.receivers.otlp.running import PROTOBUF, running


async def test_transport() -> None:
    stage = (Signal.TRACES, CollectingSink())
    async with running(stage, http={"transport": "tcp4", "endpoint": ":0"}) as server:
        assert server.receiver.http_endpoint.startswith("0.0.0.0:")
        port = server.receiver.http_endpoint.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/v1/traces"
        body = trace_request({}).SerializeToString()
        async with server.session.post(url, data=body, headers={"Content-Type": PROTOBUF}) as answer:
            assert answer.status == 200
    with pytest.raises(StartError, match=r"listen tcp6: lookup 127\.0\.0\.1"):
        async with running(stage, http={"transport": "tcp6", "endpoint": "127.0.0.1:0"}):
            pass
