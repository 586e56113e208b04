"""The `bearertokenauth` extension: a token in a header (RFC 6750), of those who send to us and of us to others."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.component import Extension, Host
from pipeline.config import ConfigModel, Secret
from pipeline.errors import StartError, Unauthenticated
from pipeline.signals import Auth, Context

_POLL_S: Final = 1.0
"""How often the file with the token is looked at."""


class BearerTokenConfig(ConfigModel):
    """Configuration of `bearertokenauth`."""

    header: str = Field("Authorization", description="Name of the header.")
    scheme: str = Field("Bearer", description="Word before the token; empty for none.")
    token: Secret = Field(Secret(""), description="The token.")
    tokens: tuple[Secret, ...] = Field((), description="Tokens to accept; a client sends the first.")
    filename: str = Field("", description="File with the token, or one a line; watched. It wins over token.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        has_token = bool(self.token.get_secret_value())
        if not (has_token or self.filename or any(token.get_secret_value() for token in self.tokens)):
            raise ValueError("no bearer token provided: give token, tokens or filename")
        if has_token and self.tokens:
            raise ValueError("either tokens or token should be provided, not both")
        return self


class BearerTokenAuth(Extension):
    """Checks the token of senders, and gives ours to backends."""

    type = "bearertokenauth"
    example = "{token: not-a-secret}"
    Config = BearerTokenConfig
    config: BearerTokenConfig

    def __init__(self, config: BearerTokenConfig, host: Host) -> None:
        """Take the tokens of the configuration; those of a file are read at start."""
        super().__init__(config, host)
        self._header = config.header.lower()
        self._values: tuple[bytes, ...] = ()
        self._version: tuple[int, ...] = ()
        if not config.filename:
            self._accept([token.get_secret_value() for token in config.tokens or (config.token,)])

    def _accept(self, tokens: Sequence[str]) -> None:
        scheme = f"{self.config.scheme} " if self.config.scheme else ""
        self._values = tuple(f"{scheme}{token}".encode() for token in tokens if token)

    async def start(self) -> None:
        """Read the file and keep an eye on it. Raises StartError when it cannot be read or holds no token."""
        if not self.config.filename:
            return
        try:
            await self._refresh()
        except OSError as error:
            raise StartError(f"{self.host.id}: cannot read {self.config.filename}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise StartError(f"{self.host.id}: {self.config.filename} is no UTF-8 text") from None
        if not self._values:
            raise StartError(f"{self.host.id}: {self.config.filename} holds no token")
        self.host.tasks.spawn(self._watch, "watch token file")

    async def _watch(self) -> None:
        while True:
            await self.host.clock.sleep(_POLL_S)
            try:
                if await self._refresh():
                    self.host.log.info("Token refreshed")
            except OSError as error:
                self.host.log.error("Token file cannot be read. The old token stays.", error=error.strerror)
            except UnicodeDecodeError:
                self.host.log.error("Token file is no UTF-8 text. The old token stays.")

    async def _refresh(self) -> bool:
        """Read the file if it has changed; a file that is empty for the moment changes nothing."""
        path = Path(self.config.filename)
        stat = await asyncio.to_thread(path.stat)
        version = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if version == self._version:
            return False
        raw = await asyncio.to_thread(path.read_bytes)
        self._version = version
        lines = raw.decode("utf-8-sig").splitlines()
        tokens = [line.strip() for line in lines if line.strip()]
        if tokens:
            self._accept(tokens)
        return bool(tokens)

    async def authenticate(self, context: Context) -> Auth:
        """Whether the sender has one of the tokens. Raises Unauthenticated."""
        given = next(iter(context.metadata.get(self._header, ())), "").encode("utf-8", "surrogateescape")
        if not given:
            raise Unauthenticated(f"missing or empty authorization header: {self.config.header}")
        # Every token is compared, so that time does not tell which of them is close.
        if not sum(hmac.compare_digest(given, value) for value in self._values):
            raise Unauthenticated("provided authorization does not match expected scheme or token")
        return Auth("")

    async def headers(self) -> Mapping[str, str]:
        """The header with our token."""
        return {self._header: self._values[0].decode()}
