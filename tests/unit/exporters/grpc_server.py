"""A gRPC server that answers as a test says and keeps what it was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

Answer = Callable[[bytes, Any], Awaitable[bytes]]


class GrpcServer:
    """What has arrived: method, body and metadata of every call."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.port = 0
        self.methods: list[str] = []
        self.bodies: list[bytes] = []
        self.metadata: list[dict[str, str]] = []
        self.time_left_s: list[float | None] = []

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def handle(self, body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.bodies.append(body)
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        self.time_left_s.append(context.time_remaining())
        return b"" if self.answer is None else await self.answer(body, context)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    def __init__(self, server: GrpcServer) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        self._server.methods.append(details.method)
        return grpc.unary_unary_rpc_method_handler(self._server.handle)


@asynccontextmanager
async def grpc_server(
    answer: Answer | None = None,
    *,
    credentials: grpc.ServerCredentials | None = None,
    options: Iterable[tuple[str, Any]] = (),
    port: int = 0,
) -> AsyncIterator[GrpcServer]:
    """Listen on a free port of 127.0.0.1."""
    made = GrpcServer(answer)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *options])
    server.add_generic_rpc_handlers([_Handler(made)])
    address = f"127.0.0.1:{port}"
    made.port = (
        server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
    )
    await server.start()
    try:
        yield made
    finally:
        await server.stop(0)


def refusing(code: grpc.StatusCode, message: str = "because", *, retry_s: float | None = None) -> Answer:
    """An answer with an error status, and RetryInfo where `retry_s` is given."""
    number = int(code.value[0])
    details = status_of(number, message, retry_s=retry_s)

    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        trailing = [("grpc-status-details-bin", details)] if retry_s is not None else []
        return await _abort(context, code, message, tuple(trailing))

    return answer


async def _abort(
    context: grpc.aio.ServicerContext[bytes, bytes], code: grpc.StatusCode, message: str, trailing: Any
) -> NoReturn:
    await context.abort(code, message, trailing)


def status_of(code: int, message: str, *, retry_s: float | None = None) -> bytes:
    """A serialised google.rpc.Status."""
    status = status_pb2.Status(code=code, message=message)
    if retry_s is not None:
        delay = Duration()
        delay.FromNanoseconds(round(retry_s * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status.SerializeToString()
