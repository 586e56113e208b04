"""Who may look at a page: the question that HTTP pages ask an authenticator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipeline.errors import PenstockError, Unauthenticated
from pipeline.signals import Auth, Context

if TYPE_CHECKING:
    from pipeline.component import Host
    from pipeline.config.server import PageAuth
    from pipeline.telemetry.meter import Meter

Authenticate: TypeAlias = Callable[[Context], Awaitable[Auth]]
"""As `ServerAuthenticator.authenticate`."""

_REFUSED: Final = 401
_UNKNOWN: Final = 503


def authenticate_of(host: Host, auth: PageAuth | None) -> Authenticate | None:
    """The check that a configuration names; None where anyone may look.

    Raises:
        StartError: the extension is not started or checks nobody.
    """
    return None if auth is None else counting(host.authenticator(auth.authenticator).authenticate, host.meter)


def counting(authenticate: Authenticate, meter: Meter) -> Authenticate:
    """The same check, which counts whom it does not let look."""

    def count(reason: str) -> None:
        meter.counter("penstock_page_refused_requests", "Requests for a page that were refused.", reason=reason).inc()

    async def check(context: Context) -> Auth:
        try:
            return await authenticate(context)
        except Unauthenticated:
            count("unauthenticated")
            raise
        except PenstockError:
            count("unavailable")
            raise

    return check


async def refusal_of(request: Any, authenticate: Authenticate) -> tuple[int, str] | None:
    """Status and text for one who may not look, or of whom that cannot be found out now; None for one who may."""
    metadata: dict[str, tuple[str, ...]] = {key.lower(): tuple(request.headers.getall(key)) for key in request.headers}
    try:
        await authenticate(Context(transport="http", peer=request.remote or "", metadata=metadata))
    except Unauthenticated as error:
        return _REFUSED, f"{error}\n"
    except PenstockError as error:
        return _UNKNOWN, f"{error}\n"
    return None
