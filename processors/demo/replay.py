"""Sends recordings to a collector over OTLP/HTTP, the way the instrumentations did."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Final, Self

from pipeline.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.demo.recordings import Export

_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.25
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})


class Sender:
    """A connection to one OTLP/HTTP endpoint; requests go one by one."""

    def __init__(self, port: int) -> None:
        """Connect to a port of localhost."""
        self._connection = http.client.HTTPConnection("localhost", port, timeout=30)

    def __enter__(self) -> Self:
        """Use it as a context manager: the connection is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, exports: Iterable[Export]) -> None:
        """Send requests in order; one that is refused is sent again after a moment, as the OTLP specification asks.

        Raises:
            DeliveryError: a request was not taken.
        """
        for export in exports:
            for _ in range(_ATTEMPTS):
                status, text = self._post(export)
                if status not in _TRY_AGAIN:
                    break
                time.sleep(_PAUSE_S)
            if status != http.HTTPStatus.OK:
                raise DeliveryError(f"the collector answered {status}: {text[:300].decode(errors='replace')}")

    def _post(self, export: Export) -> tuple[int, bytes]:
        self._connection.request("POST", f"/v1/{export.signal}", export.body, {"content-type": export.content_type})
        answer = self._connection.getresponse()
        return answer.status, answer.read()
