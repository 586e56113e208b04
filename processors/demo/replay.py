"""Sends recordings to a collector over OTLP/HTTP, the way the instrumentations did."""

from __future__ import annotations

import http.client
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from pipeline.errors import DeliveryError

if TYPE_CHECKING:
    from processors.demo.recordings import Export

_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.25
TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
"""Answers after which a request is sent again (OTLP specification, "Retryable Response Codes")."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    text: bytes

    def __str__(self) -> str:
        """For people: the status and what was said, in a google.rpc.Status (OTLP/HTTP in protobuf) or as text."""
        try:
            said = Status.FromString(self.text).message
        except DecodeError:
            said = ""
        text = said or self.text.decode(errors="replace")
        return f"{self.status}: {''.join(char if char.isprintable() else ' ' for char in text[:300]).strip()}"


class Endpoint:
    """A connection to one OTLP/HTTP endpoint; it is made anew when it is lost."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, timeout_s: float = 30) -> None:
        """Take a URL as `http://localhost:4318`, and headers to send along.

        Raises:
            ValueError: this is no such URL.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f'"{url}" is no URL such as http://localhost:4318')
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout_s)
        self._path = parts.path.rstrip("/")
        self._headers = dict(headers or {})

    def __enter__(self) -> Self:
        """Use it as a context manager: the connection is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def post(self, signal: str, content_type: str, body: bytes) -> Answer:
        """Send one request, and again at once where a connection that was kept open is gone.

        Raises:
            OSError, http.client.HTTPException: nobody answers; the next call connects anew.
        """
        kept_open = self._connection.sock is not None
        try:
            return self._post(signal, content_type, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._connection.close()
            if not kept_open:
                raise
            return self._post(signal, content_type, body)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def _post(self, signal: str, content_type: str, body: bytes) -> Answer:
        headers = {**self._headers, "content-type": content_type}
        self._connection.request("POST", f"{self._path}/v1/{signal}", body, headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, answer.read())


class Sender:
    """Sends exports to a port of localhost; requests go one by one."""

    def __init__(self, port: int) -> None:
        """Connect to a port of localhost."""
        self._endpoint = Endpoint(f"http://localhost:{port}")

    def __enter__(self) -> Self:
        """Use it as a context manager: the connection is closed at the end."""
        return self

    def __exit__(self, *details: object) -> None:
        """Close the connection."""
        self._endpoint.__exit__(*details)

    def send(self, exports: Iterable[Export]) -> None:
        """Send requests in order; one that is refused is sent again after a moment, as the OTLP specification asks.

        Raises:
            DeliveryError: a request was not taken.
        """
        for export in exports:
            for _ in range(_ATTEMPTS):
                answer = self._endpoint.post(export.signal, export.content_type, export.body)
                if answer.status not in TRY_AGAIN:
                    break
                time.sleep(_PAUSE_S)
            if answer.status != http.HTTPStatus.OK:
                raise DeliveryError(f"the collector answered {answer}")
