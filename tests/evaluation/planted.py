"""A planted value in all the forms in which it may stand in telemetry."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote


def forms(value: str) -> set[bytes]:
    """A value as it is written in text, in JSON (also twice), with and without escapes, in URLs, in base64."""
    found = {value, quote(value), quote(value, safe="")}
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return {form.encode() for form in found} | set(base64_forms(value.encode()))


def base64_forms(value: bytes) -> Iterator[bytes]:
    """What base64 of any text has in it that contains the value, wherever it begins there."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + value)
        # The first and the last characters depend on what stands around the value.
        yield encoded[(0, 2, 3)[shift] : len(encoded) - 4]
