"""Keys that every client of a backend has: headers, authenticator, middlewares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from pipeline.component import ClientAuthenticator, Host
from pipeline.config import ConfigModel, ExtensionRef, Secret, refused
from pipeline.errors import StartError


class Header(ConfigModel):
    """A header in the list form of `headers`."""

    name: str = Field(description="Name of the header.")
    value: Secret = Field(description="Its value.")


Headers = dict[str, Secret] | tuple[Header, ...]
"""A mapping of names to values, or a list of `{name, value}`."""


def plain_headers(headers: Headers) -> dict[str, str]:
    """Headers as they go on the wire: lower-case names, readable values."""
    if isinstance(headers, dict):
        return {name.lower(): value.get_secret_value() for name, value in headers.items()}
    return {header.name.lower(): header.value.get_secret_value() for header in headers}


class ClientAuth(ConfigModel):
    """Who proves our identity to the backend."""

    null_is_absent: ClassVar[bool] = True

    authenticator: ExtensionRef = Field(description="Id of an authenticator extension.")


def no_middlewares() -> Any:
    """The key `middlewares`, which only an empty list satisfies."""
    return refused("there are no client middlewares; remove the key", accept=([], (), None), default=())


def authenticator_of(host: Host, auth: ClientAuth | None) -> ClientAuthenticator | None:
    """The authenticator extension a configuration names.

    Raises:
        StartError: it is not started, or it cannot authenticate a client.
    """
    if auth is None:
        return None
    extension = host.extension(auth.authenticator)
    if not isinstance(extension, ClientAuthenticator):
        raise StartError(f'{host.id}: extension "{auth.authenticator}" is not a client authenticator')
    return extension


async def headers_of(authenticator: ClientAuthenticator | None, fixed: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of one request: the authenticator's, over the configured ones."""
    return fixed if authenticator is None else {**fixed, **await authenticator.headers()}
