"""A running `otlp` receiver and clients that send it bytes as they are."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import unquote

import aiohttp
import grpc
from google.rpc.status_pb2 import Status

from pipeline.clock import SystemClock
from pipeline.component import Extension, Host, Stage
from pipeline.config import ComponentId
from pipeline.receivers.otlp import OtlpReceiver
from pipeline.registry import Kind
from pipeline.signals import Signal, otlp_json
from pipeline.testing import configured, make_host, metric_value
from pipeline.transport.http2 import Connection, Stream
from pipeline.transport.http2_headers import encode_headers
from pipeline.worker import ALONE, Worker

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
ANY_PORT = "localhost:0"


@dataclass(frozen=True)
class Answer:
    """What a client was told."""

    status: int
    """HTTP status, or gRPC code."""
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    details: Status | None = None

    @property
    def error(self) -> Status:
        """The google.rpc.Status in an HTTP body, in the encoding its content type names."""
        assert self.headers is not None
        if self.headers["Content-Type"] == PROTOBUF:
            return Status.FromString(self.body)
        return otlp_json.decode_status(self.body)


class Running:
    """A receiver that listens, with the host it counts in."""

    def __init__(self, receiver: OtlpReceiver, host: Host, session: aiohttp.ClientSession) -> None:
        self.receiver = receiver
        self.host = host
        self.session = session

    async def grpc(self, raw: bytes, method: str = TRACES, **call: Any) -> Answer:
        """One unary call."""
        async with grpc.aio.insecure_channel(self.receiver.grpc_endpoint) as channel:
            return await grpc_call(channel, raw, method, **call)

    async def http(
        self, raw: bytes = b"", path: str = "/v1/traces", *, method: str = "POST", **headers: str | None
    ) -> Answer:
        """One request; header names with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        url = f"http://{self.receiver.http_endpoint}{path}"
        async with self.session.request(
            method, url, data=io.BytesIO(raw), headers=sent, skip_auto_headers=("Content-Type",), allow_redirects=False
        ) as response:
            return Answer(response.status, await response.read(), dict(response.headers))

    async def raw_grpc(
        self, body: bytes, headers: Sequence[tuple[str, str]] = (), *, method: str = "POST", path: str = TRACES
    ) -> Answer:
        """One call whose body is these very bytes; `headers` replace the usual ones of the same name."""
        usual = {":method": method, ":path": path, ":scheme": "http", "content-type": "application/grpc"}
        stream = await h2_request(self.receiver.grpc_endpoint, list((usual | dict(headers)).items()), body)
        said = stream.headers
        return Answer(int(said["grpc-status"]), unquote(said.get("grpc-message", "")).encode(), said)

    def counted(self, what: str, transport: str) -> float:
        """Value of a receiver metric, e.g. `accepted_spans`."""
        return metric_value(self.host, f"otelcol_receiver_{what}_total", transport=transport)

    def rejected(self, reason: str, transport: str) -> float:
        """Requests answered with an error before they came to a batch."""
        return metric_value(self.host, "penstock_receiver_rejected_requests_total", transport=transport, reason=reason)


async def h2_request(endpoint: str, headers: list[tuple[str, str]], body: bytes) -> Stream:
    """One HTTP/2 request on a connection of its own."""
    host, port = endpoint.split(":")
    loop = asyncio.get_running_loop()
    connection: Connection
    _, connection = await loop.create_connection(
        lambda: Connection(lambda _: None, write_buffer_bytes=0), host, int(port)
    )
    await connection.ready
    try:
        return await asyncio.wait_for(connection.request(encode_headers(headers), body), 60)
    finally:
        connection.close()


GROWING_S: Final = (0.3, 3.0, 30.0)
"""Deadlines of calls that arrive and are not answered: each for a machine that was too slow for the one before."""


async def grpc_call(channel: grpc.aio.Channel, raw: bytes, method: str = TRACES, **call: Any) -> Answer:
    """One unary call on a channel: its code and body, or its code, message and details."""
    try:
        return Answer(0, await channel.unary_unary(method, None, None)(raw, **{"timeout": 60, **call}))
    except grpc.aio.AioRpcError as error:
        trailers = dict(cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ()))
        raw_details = trailers.get("grpc-status-details-bin")
        details = Status.FromString(raw_details) if isinstance(raw_details, bytes) else None
        return Answer(error.code().value[0], (error.details() or "").encode(), details=details)


@asynccontextmanager
async def running(
    *stages: tuple[Signal, Stage],
    extensions: Mapping[str, Extension] | None = None,
    grpc: Mapping[str, Any] | None = None,
    http: Mapping[str, Any] | None = None,
    worker: Worker = ALONE,
    **config: Any,
) -> AsyncIterator[Running]:
    """A receiver with both protocols on free ports; `grpc` and `http` are further keys of theirs."""
    known = {ComponentId.parse(name): extension for name, extension in (extensions or {}).items()}
    host = make_host("otlp", kind=Kind.RECEIVER, clock=SystemClock(), extensions=known, worker=worker)
    protocols = {"grpc": {"endpoint": ANY_PORT, **(grpc or {})}, "http": {"endpoint": ANY_PORT, **(http or {})}}
    receiver = configured(OtlpReceiver, host, protocols=protocols, **config)
    receiver.connect(dict(stages))
    await receiver.start()
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Running(receiver, host, session)
    finally:
        await receiver.stop()
