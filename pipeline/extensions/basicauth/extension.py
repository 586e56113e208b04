"""HTTP basic authentication (RFC 7617), of those who send to us and of us to others."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.component import Extension, Host
from pipeline.config import ConfigModel, Secret
from pipeline.errors import StartError, Unauthenticated
from pipeline.extensions.basicauth import htpasswd
from pipeline.signals import Auth, Context

_SCHEME: Final = "basic "
_MAX_KNOWN: Final = 4096
_MAX_CHECKS: Final = 2
"""Passwords checked at a time: hashes are slow on purpose, and a flood of guesses must leave the machine to others."""


class Htpasswd(ConfigModel):
    """Who may send."""

    file: str = Field("", description="htpasswd file, read at start.")
    inline: Secret = Field(Secret(""), description="Lines of an htpasswd file; they win over the file's.")


class ClientCredentials(ConfigModel):
    """Who we are to others."""

    username: str = Field("", description="User name.")
    password: Secret = Field(Secret(""), description="Sent with the name, encoded as RFC 7617 says.")


class BasicAuthConfig(ConfigModel):
    """Configuration of `basicauth`: for a server or for a client."""

    htpasswd: Htpasswd | None = Field(None, description="For receivers: users and hashes of their passwords.")
    client_auth: ClientCredentials | None = Field(None, description="For exporters: our user name and password.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.htpasswd is None and self.client_auth is None:
            raise ValueError("no credential source provided: give htpasswd (receivers) or client_auth (exporters)")
        if self.htpasswd is not None and self.client_auth is not None:
            raise ValueError("only one of `htpasswd` and `client_auth` can be specified")
        return self


class BasicAuth(Extension):
    """Checks user names and passwords of senders, or gives ours to backends.

    Attributes:
        authenticate: of a server; raises Unauthenticated.
        headers: of a client.
    """

    type = "basicauth"
    example = "{client_auth: {username: penstock, password: not-a-secret}}"
    Config = BasicAuthConfig
    config: BasicAuthConfig
    authenticate: Callable[[Context], Awaitable[Auth]]
    headers: Callable[[], Awaitable[Mapping[str, str]]]

    def __init__(self, config: BasicAuthConfig, host: Host) -> None:
        """Become the server's side or the client's."""
        super().__init__(config, host)
        self._users: dict[str, str] = {}
        self._known: dict[bytes, Auth] = {}
        self._key = secrets.token_bytes(32)
        self._checks = asyncio.Semaphore(_MAX_CHECKS)
        # Set here, not defined on the class, so that each side is only what it is configured to be.
        if config.htpasswd is not None:
            self.authenticate = self._authenticate
        else:
            self.headers = self._headers

    async def start(self) -> None:
        """Read the users. Raises StartError for a file that cannot be read or understood."""
        config = self.config.htpasswd
        if config is None:
            return
        try:
            text = await asyncio.to_thread(Path(config.file).read_text, "utf-8") if config.file else ""
            self._users = htpasswd.parse(text) | htpasswd.parse(config.inline.get_secret_value())
        except OSError as error:
            raise StartError(f"{self.host.id}: cannot read htpasswd file {config.file}: {error.strerror}") from None
        except ValueError as error:
            raise StartError(f"{self.host.id}: htpasswd: {error}") from None

    async def _authenticate(self, context: Context) -> Auth:
        header = next(iter(context.metadata.get("authorization", ())), "")
        if not header:
            raise Unauthenticated("no basic auth provided")
        fingerprint = hashlib.blake2b(header.encode("utf-8", "surrogateescape"), key=self._key).digest()
        known = self._known.get(fingerprint)
        if known is None:
            known = await self._check(header)
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[fingerprint] = known
        return known

    async def _check(self, header: str) -> Auth:
        user, password, raw = _credentials(header)
        expected = self._users.get(user)
        # For a user who does not exist the same work is done, so that time does not tell who does.
        anyone = next(iter(self._users.values()), "")
        async with self._checks:
            fits = await asyncio.to_thread(htpasswd.verify, password, anyone if expected is None else expected)
        if expected is None or not fits:
            raise Unauthenticated("invalid credentials")
        return Auth(user, {"username": user, "raw": raw})

    async def _headers(self) -> Mapping[str, str]:
        config = self.config.client_auth or ClientCredentials()
        credentials = f"{config.username}:{config.password.get_secret_value()}"
        return {"authorization": f"Basic {b64encode(credentials.encode()).decode()}"}


def _credentials(header: str) -> tuple[str, str, str]:
    """User, password and the encoded form of both. Raises Unauthenticated."""
    if not header.lower().startswith(_SCHEME):
        raise Unauthenticated("invalid authorization scheme prefix")
    raw = header[len(_SCHEME) :]
    try:
        user, colon, password = b64decode(raw, validate=True).decode().partition(":")
    except ValueError:
        raise Unauthenticated("invalid authorization format") from None
    if not colon:
        raise Unauthenticated("invalid authorization format")
    return user, password, raw
