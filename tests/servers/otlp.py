"""A client of OTLP/HTTP that needs no library of others."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import Final

_NO_HEADERS: Final[Mapping[str, str]] = {}


def post(port: int, signal: str, body: bytes, headers: Mapping[str, str] = _NO_HEADERS) -> None:
    """Send a request in protobuf to a port of 127.0.0.1; raises HTTPError where it is not taken."""
    url = f"http://127.0.0.1:{port}/v1/{signal}"
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
