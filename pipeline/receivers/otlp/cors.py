"""Cross-origin resource sharing: which web pages may send (Fetch standard, section 3.2; github.com/rs/cors)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from pipeline.receivers.otlp.config import Cors

_METHODS: Final = frozenset({hdrs.METH_GET, hdrs.METH_POST, hdrs.METH_HEAD})
_DEFAULT_HEADERS: Final = ("accept", "content-type", "x-requested-with")
"""Allowed where the configuration names none."""
_PREFLIGHT_VARY: Final = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


class CorsPolicy:
    """Answers preflight requests and adds headers to the answers of the others."""

    def __init__(self, config: Cors) -> None:
        """Compile the patterns of origins; without any, no origin is allowed."""
        patterns = (re.escape(origin.lower()).replace(r"\*", ".*") for origin in config.allowed_origins)
        self._origins = re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
        names = config.allowed_headers or _DEFAULT_HEADERS
        self._headers = frozenset(name.lower() for name in names)
        self._exposed = ", ".join(config.exposed_headers)
        self._max_age = config.max_age

    def headers(self, origin: str | None) -> dict[str, str]:
        """What to add to the answer of a request from this origin."""
        headers: dict[str, str] = {hdrs.VARY: "Origin"}
        if origin is not None and self._allows(origin):
            headers |= self._allowed(origin)
            if self._exposed:
                headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = self._exposed
        return headers

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a preflight request; None for any other."""
        method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        if request.method != hdrs.METH_OPTIONS or method is None:
            return None
        headers: dict[str, str] = {hdrs.VARY: _PREFLIGHT_VARY}
        origin = request.headers.get(hdrs.ORIGIN, "")
        wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        names = {name.strip().lower() for name in wanted.split(",") if name.strip()}
        if self._allows(origin) and method in _METHODS and ("*" in self._headers or names <= self._headers):
            headers |= self._allowed(origin) | {hdrs.ACCESS_CONTROL_ALLOW_METHODS: method}
            if names:
                headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted
            if self._max_age:
                headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(self._max_age)
        return web.Response(status=204, headers=headers)

    def _allows(self, origin: str) -> bool:
        return self._origins.fullmatch(origin.lower()) is not None

    def _allowed(self, origin: str) -> dict[str, str]:
        return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS: "true"}
