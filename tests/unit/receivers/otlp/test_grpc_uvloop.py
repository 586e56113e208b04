"""The gRPC server on the event loop of the service, with many connections at once."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
import trustme
import uvloop

from pipeline.signals import Signal
from pipeline.testing import CollectingSink, trace_request
from tests.unit.receivers.otlp.running import Running, grpc_call, running

CONNECTIONS = 6
CALLS = 8


async def _send(server: Running, number: int, ca: bytes | None) -> None:
    # Channels to one address share a connection unless their options differ.
    options = [("grpc.use_local_subchannel_pool", 1)]
    endpoint = server.receiver.grpc_endpoint
    if ca is None:
        channel = grpc.aio.insecure_channel(endpoint, options=options)
    else:
        channel = grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(ca), options=options)
    async with channel:
        calls = (grpc_call(channel, _body(number, call)) for call in range(CALLS))
        assert [answer.status for answer in await asyncio.gather(*calls)] == [0] * CALLS


def _body(connection: int, call: int) -> bytes:
    text = f"{connection}/{call} "
    return trace_request({"text": text * (40_000 * (call % 3) + 1)}).SerializeToString()


@pytest.mark.parametrize("with_tls", [False, True])
def test_bodies_of_many_connections_stay_apart(with_tls: bool) -> None:
    sink = CollectingSink()
    tls: dict[str, Any] = {}
    ca = None
    if with_tls:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        ca = authority.cert_pem.bytes()
        pems = {
            "cert_pem": certificate.cert_chain_pems[0].bytes().decode(),
            "key_pem": certificate.private_key_pem.bytes().decode(),
        }
        tls = {"tls": pems}

    async def main() -> None:
        async with running((Signal.TRACES, sink), grpc=tls) as server:
            await asyncio.gather(*(_send(server, number, ca) for number in range(CONNECTIONS)))

    uvloop.run(main())
    expected = sorted(_body(number, call) for number in range(CONNECTIONS) for call in range(CALLS))
    assert sorted(batch.serialize() for batch in sink.batches) == expected
