"""Who may look at a page: the question that HTTP pages ask an authenticator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipeline.errors import PenstockError, Unauthenticated
from pipeline.signals import Auth, Context

if TYPE_CHECKING:
    from pipeline.component import Host
    from pipeline.config.server import PageAuth

Authenticate: TypeAlias = Callable[[Context], Awaitable[Auth]]
"""As `ServerAuthenticator.authenticate`."""

_REFUSED: Final = 401
_UNKNOWN: Final = 503


def authenticate_of(host: Host, auth: PageAuth | None) -> Authenticate | None:
    """The check that a configuration names; None where anyone may look.

    Raises:
        StartError: the extension is not started or checks nobody.
    """
    return None if auth is None else host.authenticator(auth.authenticator).authenticate


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
