"""HTTP basic authentication (RFC 7617), of those who send to us and of us to others."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.component import Extension, Host
from pipeline.config import ConfigModel, Secret
from pipeline.errors import Refused, StartError, Unauthenticated
from pipeline.extensions.basicauth import htpasswd
from pipeline.signals import Auth, Context

_SCHEME: Final = "basic "
_MAX_KNOWN: Final = 4096
_MAX_CHECKS: Final = 2
"""Passwords checked at a time: hashes are slow on purpose, and a flood of guesses must leave the machine to others."""
_MAX_WAITING: Final = 64
"""Passwords that wait for their check, each with a request behind it."""
_POLL_S: Final = 1.0
"""How often the htpasswd file is looked at."""


class Htpasswd(ConfigModel):
    """Who may send."""

    file: str = Field("", description="htpasswd file; watched.")
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
        self._checking: dict[bytes, asyncio.Task[Auth]] = {}
        self._version: tuple[int, ...] = ()
        self._key = secrets.token_bytes(32)
        self._checks = asyncio.Semaphore(_MAX_CHECKS)
        # Set here, not defined on the class, so that each side is only what it is configured to be.
        if config.htpasswd is not None:
            self.authenticate = self._authenticate
        else:
            self.headers = self._headers

    async def start(self) -> None:
        """Read the users, and keep an eye on their file. Raises StartError where it cannot be read or understood."""
        config = self.config.htpasswd
        if config is None:
            return
        try:
            await self._refresh(config)
        except OSError as error:
            raise StartError(f"{self.host.id}: cannot read htpasswd file {config.file}: {error.strerror}") from None
        except ValueError as error:
            raise StartError(f"{self.host.id}: htpasswd: {error}") from None
        if config.file:
            self.host.tasks.spawn(partial(self._watch, config), "watch htpasswd file")

    async def _watch(self, config: Htpasswd) -> None:
        while True:
            await self.host.clock.sleep(_POLL_S)
            try:
                if await self._refresh(config):
                    self.host.log.info("Users read anew")
            except OSError as error:
                self.host.log.error("htpasswd file cannot be read. The old users stay.", error=error.strerror)
            except ValueError as error:
                self.host.log.error("htpasswd file cannot be used. The old users stay.", error=str(error))

    async def _refresh(self, config: Htpasswd) -> bool:
        """Read the users if their file has changed; whoever was known is forgotten then."""
        text = ""
        if config.file:
            stat = await asyncio.to_thread(Path(config.file).stat)
            version = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if version == self._version:
                return False
            raw = await asyncio.to_thread(Path(config.file).read_bytes)
            self._version = version
            text = _decoded(raw)
        self._users = htpasswd.parse(text) | htpasswd.parse(config.inline.get_secret_value())
        # Not emptied: checks that are under way belong to the old users.
        self._known, self._checking = {}, {}
        return True

    async def _authenticate(self, context: Context) -> Auth:
        header = next(iter(context.metadata.get("authorization", ())), "")
        if not header:
            raise Unauthenticated("no basic auth provided")
        fingerprint = hashlib.blake2b(header.encode("utf-8", "surrogateescape"), key=self._key).digest()
        known = self._known.get(fingerprint)
        return known if known is not None else await self._check_once(fingerprint, header)

    async def _check_once(self, fingerprint: bytes, header: str) -> Auth:
        """Check a header, for all who come with it meanwhile."""
        checking, known = self._checking, self._known
        check = checking.get(fingerprint)
        if check is None:
            if len(checking) >= _MAX_WAITING:
                raise Refused("too many passwords to check; try again later")
            check = checking[fingerprint] = self.host.tasks.start(self._check(header), "check password")
            check.add_done_callback(lambda _: checking.pop(fingerprint, None))
        auth = await asyncio.shield(check)
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known[fingerprint] = auth
        return auth

    async def _check(self, header: str) -> Auth:
        user, password, raw = _credentials(header)
        users = self._users
        # For a user who does not exist the same work is done, so that time does not tell who does.
        expected = users.get(user) or htpasswd.slowest(users.values())
        async with self._checks:
            fits = await asyncio.to_thread(htpasswd.verify, password, expected)
        if user not in users or not fits:
            raise Unauthenticated("invalid credentials")
        return Auth(user, {"username": user, "raw": raw})

    async def _headers(self) -> Mapping[str, str]:
        config = self.config.client_auth or ClientCredentials()
        credentials = f"{config.username}:{config.password.get_secret_value()}"
        return {"authorization": f"Basic {b64encode(credentials.encode()).decode()}"}


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None


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
