"""Where keys of an issuer come from: its own metadata (OpenID Connect Discovery 1.0) or a file."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import orjson

from pipeline.errors import StartError
from pipeline.extensions.oidc.config import Provider
from pipeline.extensions.oidc.keys import ALGORITHMS, BadKeys, Key, read_keys
from pipeline.transport.network_errors import why

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 1 << 20
_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_DEFAULT_ALGORITHMS: Final = frozenset({"RS256"})
"""What issuers must support (OpenID Connect Discovery 1.0, section 3)."""


class KeysUnavailable(Exception):  # noqa: N818 - named for what it tells
    """The keys cannot be read now; the text says why, without anything from a token."""


class KeySource(Protocol):
    """Gives the keys as they are now.

    Attributes:
        algorithms: what the issuer signs with.
    """

    algorithms: frozenset[str]

    async def fetch(self) -> Sequence[Key]:
        """The keys. Raises KeysUnavailable."""


class KeyFile:
    """A JWK set in a file."""

    algorithms = ALGORITHMS

    def __init__(self, file: str) -> None:
        """Read it with `fetch`."""
        self._path = Path(file)
        self._read: tuple[bytes, Sequence[Key]] = (b"", ())

    async def fetch(self) -> Sequence[Key]:
        """The keys. Raises KeysUnavailable."""
        try:
            text = await asyncio.to_thread(self._path.read_bytes)
            if text != self._read[0] or not text:
                self._read = text, read_keys(text)
            return self._read[1]
        except OSError as error:
            raise KeysUnavailable(f'could not read file "{self._path}": {error.strerror}') from None
        except BadKeys as error:
            raise KeysUnavailable(f'invalid public_keys_file "{self._path}": {error}') from None


class Issuer:
    """An issuer that is asked over HTTP: once for its metadata, and for its keys whenever they are wanted."""

    def __init__(self, provider: Provider) -> None:
        """Raises StartError for a CA file that cannot be used."""
        self.algorithms = _DEFAULT_ALGORITHMS
        self._url = provider.issuer_url
        self._tls = _trust(provider.issuer_ca_path)
        self._keys_url = ""

    async def fetch(self) -> Sequence[Key]:
        """The keys. Raises KeysUnavailable."""
        if not self._keys_url:
            await self._discover()
        url, self._keys_url = self._keys_url, ""
        try:
            keys = read_keys(await self._get(url))
        except BadKeys as error:
            raise KeysUnavailable(f"{url}: {error}") from None
        # After a failure the metadata is read again: the issuer may have moved its keys.
        self._keys_url = url
        return keys

    async def _discover(self) -> None:
        url = self._url.rstrip("/") + _DISCOVERY_PATH
        try:
            found = orjson.loads(await self._get(url))
            issuer, keys_url = str(found["issuer"]), str(found["jwks_uri"])
            algorithms = frozenset(map(str, found.get("id_token_signing_alg_values_supported") or ())) & ALGORITHMS
        except (ValueError, TypeError, KeyError, AttributeError):
            raise KeysUnavailable(f"{url}: failed to decode provider discovery object") from None
        if issuer != self._url:
            message = f'issuer did not match the issuer returned by provider, expected "{self._url}" got "{issuer}"'
            raise KeysUnavailable(message)
        if urlsplit(keys_url).scheme not in ("https", urlsplit(self._url).scheme):
            raise KeysUnavailable(f'{url}: jwks_uri "{keys_url}" is less secure than the issuer')
        self._keys_url, self.algorithms = keys_url, algorithms or _DEFAULT_ALGORITHMS

    async def _get(self, url: str) -> bytes:
        import aiohttp  # noqa: PLC0415 - heavy

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.get(url, ssl=self._tls or True, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise KeysUnavailable(f"{url} answered {answer.status}")
                body = await _read(answer.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KeysUnavailable(f"{url}: {why(error)}") from None
        if len(body) > _MAX_BYTES:
            raise KeysUnavailable(f"{url}: more than {_MAX_BYTES} bytes")
        return body


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The body, of one that is too large the beginning."""
    body = b""
    while len(body) <= _MAX_BYTES and (piece := await content.read(1 << 16)):
        body += piece
    return body


def _trust(ca_file: str) -> ssl.SSLContext | None:
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise StartError(f'cannot decode the contents of the CA file "{ca_file}"') from None
    except OSError as error:
        raise StartError(f'could not read the CA file "{ca_file}": {error.strerror}') from None
