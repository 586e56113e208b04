"""Senders are checked before anything of their data is looked at."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc.aio import insecure_channel as channel_to

from pipeline.component import Extension
from pipeline.errors import Code, Refused, StartError, Unauthenticated
from pipeline.extensions.basicauth import BasicAuth
from pipeline.extensions.bearertokenauth import BearerTokenAuth
from pipeline.extensions.health_check import HealthCheck
from pipeline.signals import Auth, Context, Signal
from pipeline.testing import CollectingSink, configured, trace_request
from tests.unit.receivers.otlp.running import JSON, PROTOBUF, TRACES, grpc_call, running

RAW = trace_request({"a": 1}).SerializeToString()
GOOD = f"Basic {b64encode(b'alice:secret').decode()}"
BAD = f"Basic {b64encode(b'alice:wrong').decode()}"
AUTH: dict[str, Any] = {"auth": {"authenticator": "basicauth"}}


async def _basicauth() -> dict[str, Extension]:
    extension: BasicAuth = configured(BasicAuth, htpasswd={"inline": "alice:secret"})
    await extension.start()
    return {"basicauth": extension}


async def test_who_is_let_in_is_known_to_the_pipelines() -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), extensions=await _basicauth(), grpc=AUTH, http=AUTH) as server:
        assert (await server.grpc(RAW, metadata=(("authorization", GOOD),))).status == 0
        assert (await server.http(RAW, content_type=PROTOBUF, Authorization=GOOD)).status == 200
    for batch in sink.batches:
        assert batch.context.lookup("auth.subject") == "alice"
        assert not batch.context.metadata


@pytest.mark.parametrize(("header", "message"), [(None, "no basic auth provided"), (BAD, "invalid credentials")])
@pytest.mark.parametrize("raw", [RAW, b"\xff garbage"])
async def test_who_is_not_let_in(header: str | None, message: str, raw: bytes) -> None:
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), extensions=await _basicauth(), grpc=AUTH, http=AUTH) as server:
        by_grpc = await server.grpc(raw, metadata=() if header is None else (("authorization", header),))
        assert (by_grpc.status, by_grpc.body.decode()) == (Code.UNAUTHENTICATED, message)
        for content_type in (PROTOBUF, JSON):
            by_http = await server.http(raw, content_type=content_type, Authorization=header)
            assert by_http.status == 401
            assert (by_http.error.code, by_http.error.message) == (Code.UNAUTHENTICATED, message)
        assert (await server.http(path="/nowhere", Authorization=header)).status == 401
        assert server.rejected("unauthenticated", "grpc") == 1
        assert server.rejected("unauthenticated", "http") == 3
    assert not sink.batches


async def test_a_stranger_is_refused_before_the_body_has_come() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield bytes(1 << 20)
        await asyncio.Event().wait()

    async with (
        running((Signal.TRACES, CollectingSink()), extensions=await _basicauth(), grpc=AUTH) as server,
        channel_to(server.receiver.grpc_endpoint) as channel,
    ):
        for metadata in ((), (("authorization", BAD),)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.stream_unary(TRACES, None, None)(endless(), metadata=metadata, timeout=60)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert server.rejected("unauthenticated", "grpc") == 2


class Porter(Extension):
    """Takes its time, and lets in whom it knows."""

    type = "porter"

    def __init__(self) -> None:
        self.asked = asyncio.Queue[None]()
        self.open = asyncio.Event()

    async def authenticate(self, context: Context) -> Auth:
        self.asked.put_nowait(None)
        await self.open.wait()
        who = context.metadata.get("who", ("",))[0]
        if who == "away":
            raise Refused("come back later")
        if who == "bug":
            raise ZeroDivisionError
        if not who:
            raise Unauthenticated("who?")
        return Auth(who)


async def test_who_sends_is_found_out_while_the_body_comes() -> None:
    sink, porter = CollectingSink(), Porter()
    auth: dict[str, Any] = {"auth": {"authenticator": "porter"}}
    async with (
        running((Signal.TRACES, sink), extensions={"porter": porter}, grpc=auth, http=auth) as server,
        channel_to(server.receiver.grpc_endpoint) as channel,
    ):
        whos = ["alice", "", "away", "bug"]
        by_grpc = [asyncio.create_task(grpc_call(channel, RAW, metadata=(("who", who),))) for who in whos]
        by_http = [asyncio.create_task(server.http(RAW, content_type=PROTOBUF, who=who)) for who in whos]
        gone = channel.unary_unary(TRACES, None, None)(RAW, metadata=(("who", "gone"),))
        for _ in range(9):
            await asyncio.wait_for(porter.asked.get(), 60)
        gone.cancel()
        assert not sink.batches
        porter.open.set()
        assert [(await answer).status for answer in by_grpc] == [
            0,
            Code.UNAUTHENTICATED,
            Code.UNAVAILABLE,
            Code.INTERNAL,
        ]
        assert [(await answer).status for answer in by_http] == [200, 401, 503, 500]
        assert (await grpc_call(channel, RAW, metadata=(("who", "alice"),))).status == 0
        for transport in ("grpc", "http"):
            assert server.rejected("unauthenticated", transport) == 1
            assert server.rejected("unavailable", transport) == 1
    assert {batch.context.lookup("auth.subject") for batch in sink.batches} <= {"alice", "gone"}


async def test_request_params() -> None:
    token: BearerTokenAuth = configured(BearerTokenAuth, token="t1", header="token", scheme="")
    http = {"auth": {"authenticator": "bearertokenauth", "request_params": ["token"]}, "include_metadata": True}
    sink = CollectingSink()
    async with running((Signal.TRACES, sink), extensions={"bearertokenauth": token}, http=http) as server:
        assert (await server.http(RAW, "/v1/traces?token=t1", content_type=PROTOBUF)).status == 200
        assert (await server.http(RAW, "/v1/traces?token=t2", content_type=PROTOBUF)).status == 401
        assert (await server.http(RAW, "/v1/traces?other=t1", content_type=PROTOBUF)).status == 401
    assert "token" not in sink.batches[0].context.metadata


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize(
    ("extensions", "message"),
    [({}, 'extension "basicauth" is not started'), ({"basicauth": HealthCheck}, "is not a server authenticator")],
)
async def test_an_authenticator_that_is_none(
    protocol: str, extensions: dict[str, type[Extension]], message: str
) -> None:
    known = {name: configured(cls) for name, cls in extensions.items()}
    keys: dict[str, Any] = {protocol: AUTH}
    with pytest.raises(StartError, match=message):
        async with running((Signal.TRACES, CollectingSink()), extensions=known, **keys):
            pass


async def test_an_authenticator_for_clients_only() -> None:
    client: BasicAuth = configured(BasicAuth, client_auth={"username": "a", "password": "b"})
    with pytest.raises(StartError, match="is not a server authenticator"):
        async with running((Signal.TRACES, CollectingSink()), extensions={"basicauth": client}, http=AUTH):
            pass
