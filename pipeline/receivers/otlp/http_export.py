"""OTLP over HTTP: one request and its answer (OTLP specification, "OTLP/HTTP")."""

from __future__ import annotations

import asyncio
import posixpath
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from pipeline.errors import Code, DeliveryError, Refused, Rejected, Unauthenticated
from pipeline.receivers.otlp.admission import Admission, Gate
from pipeline.receivers.otlp.answers import OK_JSON, OK_PROTOBUF, http_status_of, status_of
from pipeline.receivers.otlp.cors import CorsPolicy
from pipeline.receivers.otlp.ready import ReadyAnswer
from pipeline.signals import Batch, Context, Request, Signal, otlp_json
from pipeline.signals.intake import of_message, parse
from pipeline.transport.compression import Malformed, TooLarge, decompress

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from pipeline.receivers.otlp.config import HttpProtocol

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_OK: Final = {PROTOBUF: OK_PROTOBUF, JSON: OK_JSON}
_OFF_LOOP_BYTES: Final = 1 << 18
"""Bodies larger than this are decompressed, and read as JSON, in a worker thread."""


class _Unreadable(Rejected):
    """The request cannot be read; `reason` is how it is counted."""

    def __init__(self, message: str, reason: str = "malformed", code: Code = Code.INVALID_ARGUMENT) -> None:
        super().__init__(message, code=code)
        self.reason = reason


class HttpExport:
    """Answers requests."""

    def __init__(self, admission: Admission) -> None:
        """`configure` before the first request."""
        self._admission = admission
        self._config: HttpProtocol
        self._gate: Gate

    def configure(self, config: HttpProtocol) -> None:
        """Use this configuration from the next request on. Raises StartError."""
        authenticator = config.auth.authenticator if config.auth is not None else None
        self._gate = Gate(self._admission, authenticator, include_metadata=config.include_metadata)
        self._config = config
        self._max_bytes = config.max_body_bytes
        self._codings = frozenset(config.compression_algorithms)
        self._auth_params = config.auth.request_params if config.auth is not None else ()
        self._cors = None if config.cors is None else CorsPolicy(config.cors)
        self._headers = {name: value.get_secret_value() for name, value in config.response_headers.items()}
        is_plain = self._cors is None and not self._headers and config.keep_alives_enabled
        self._ready = {encoding: ReadyAnswer(body, encoding) for encoding, body in _OK.items()} if is_plain else {}
        self._paths = {
            config.traces_url_path: Signal.TRACES,
            config.metrics_url_path: Signal.METRICS,
            config.logs_url_path: Signal.LOGS,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request. Never raises but for a connection that broke."""
        if self._ready:
            return await self._answer(request)
        cors = self._cors
        preflight = None if cors is None else cors.preflight(request)
        response: web.StreamResponse = await self._answer(request) if preflight is None else preflight
        if cors is not None and preflight is None:
            response.headers.update(cors.headers(request.headers.get(hdrs.ORIGIN)))
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        if not self._config.keep_alives_enabled:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        encoding = _encoding_of(request.headers.get(hdrs.CONTENT_TYPE, ""))
        try:
            context = await self._context(request)
            coding = self._coding_of(request)
            signal = self._paths.get(request.path)
            if signal is None or signal not in self._admission.stages:
                return self._not_found(request)
            if request.method != hdrs.METH_POST:
                return self._turn_away("method", 405, "405 method not allowed, supported: [POST]")
            if encoding is None:
                supported = f"supported: [{JSON}, {PROTOBUF}]"
                return self._turn_away("content_type", 415, f"415 unsupported media type, {supported}")
            batch = await self._batch(signal, encoding, coding, request, context)
            if batch.count:
                await self._admission.admit(batch)
        except DeliveryError as error:
            return self._failure(encoding, error)
        except Exception as error:  # noqa: BLE001 - a bug must cost one request only
            return self._failure(encoding, self._admission.unexpected(error))
        if self._ready and ReadyAnswer.suits(request):
            return self._ready[encoding]
        return web.Response(body=_OK[encoding], content_type=encoding)

    async def _context(self, request: web.BaseRequest) -> Context:
        gate = self._gate
        # An IPv4 client of a socket for both families has its address mapped (RFC 4291, section 2.5.5.2).
        peer = (request.remote or "").removeprefix("::ffff:")
        if not gate.reads_headers:
            return gate.plain(peer)
        more = {name: tuple(values) for name in self._auth_params if (values := request.query.getall(name, []))}
        try:
            return await gate.context(peer, _all_headers(request.headers), more)
        except Refused:
            self._admission.turned_away("unavailable")
            raise

    def _coding_of(self, request: web.BaseRequest) -> str:
        coding = request.headers.get(hdrs.CONTENT_ENCODING, "")
        if coding not in self._codings:
            raise _Unreadable(f"unsupported Content-Encoding: {coding}", "content_encoding")
        return coding

    def _not_found(self, request: web.BaseRequest) -> web.Response:
        path = _clean(request.path)
        if path != request.path:
            query = f"?{request.query_string}" if request.query_string else ""
            return web.Response(status=307, headers={hdrs.LOCATION: path + query})
        response = self._turn_away("path", 404, "404 page not found\n")
        response.charset = "utf-8"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _turn_away(self, reason: str, status: int, text: str) -> web.Response:
        self._admission.turned_away(reason)
        return web.Response(status=status, body=text.encode(), content_type="text/plain")

    async def _batch(
        self, signal: Signal, encoding: str, coding: str, request: web.BaseRequest, context: Context
    ) -> Batch:
        raw = await _read(request, self._max_bytes)
        if coding:
            raw = await _decompressed(coding, raw, self._max_bytes)
        try:
            if encoding == PROTOBUF:
                return parse(signal, raw, context, on_repair=self._admission.on_repair)
            return of_message(signal, await self._decode_json(signal, raw), context)
        except _Unreadable:
            raise
        except Rejected as error:
            raise _Unreadable(str(error)) from None

    async def _decode_json(self, signal: Signal, raw: bytes) -> Request:
        try:
            if len(raw) > _OFF_LOOP_BYTES:
                message, repaired = await asyncio.to_thread(otlp_json.decode_counted, signal, raw)
            else:
                message, repaired = otlp_json.decode_counted(signal, raw)
        except Rejected as error:
            raise _Unreadable(str(error), code=error.code or Code.INVALID_ARGUMENT) from None
        if repaired:
            self._admission.on_repair(repaired)
        return message

    def _failure(self, encoding: str | None, error: DeliveryError) -> web.Response:
        if isinstance(error, _Unreadable):
            self._admission.turned_away(error.reason)
        elif isinstance(error, Unauthenticated):
            self._admission.turned_away("unauthenticated")
        status = status_of(error)
        http_status, retry_after_s = http_status_of(status)
        as_protobuf = encoding == PROTOBUF
        response = web.Response(
            status=http_status,
            body=status.SerializeToString() if as_protobuf else otlp_json.encode_status(status),
            content_type=PROTOBUF if as_protobuf else JSON,
        )
        if retry_after_s is not None:
            response.headers[hdrs.RETRY_AFTER] = str(retry_after_s)
        return response


def _encoding_of(content_type: str) -> str | None:
    """The encoding of a request by its media type, parameters ignored; None for one that is not OTLP's."""
    if content_type in (PROTOBUF, JSON):
        return content_type
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type if media_type in (PROTOBUF, JSON) else None


async def _read(request: web.BaseRequest, max_bytes: int) -> bytes:
    """The whole body. Raises _Unreadable for one that is too large or breaks off."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large()
    if hdrs.EXPECT in request.headers:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    content = request.content
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            piece = await content.readany()
            size += len(piece)
            if size > max_bytes:
                raise _too_large()
            pieces.append(piece)
            if content.at_eof():
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    except (web.RequestPayloadError, ConnectionError):
        raise _Unreadable("unexpected EOF") from None


async def _decompressed(coding: str, raw: bytes, max_bytes: int) -> bytes:
    try:
        if len(raw) > _OFF_LOOP_BYTES:
            return await asyncio.to_thread(decompress, coding, raw, max_bytes)
        return decompress(coding, raw, max_bytes)
    except TooLarge:
        raise _too_large() from None
    except Malformed as error:
        raise _Unreadable(str(error)) from None


def _too_large() -> _Unreadable:
    return _Unreadable("http: request body too large", "too_large")


def _all_headers(headers: CIMultiDictProxy[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = (*found.get(key, ()), value)
    return found


def _clean(path: str) -> str:
    """The path without empty, `.` and `..` elements (Go's `ServeMux` redirects to it)."""
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    return cleaned + "/" if path.endswith("/") and cleaned != "/" else cleaned
