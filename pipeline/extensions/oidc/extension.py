"""The extension: the token of a request, from its header to who sent it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import partial
from importlib.util import find_spec
from typing import Final

from pipeline.component import Extension, Host
from pipeline.errors import Refused, StartError
from pipeline.extensions.oidc.config import OidcConfig, Provider
from pipeline.extensions.oidc.keyring import RENEWAL_S, Keyring
from pipeline.extensions.oidc.sources import Issuer, KeyFile
from pipeline.extensions.oidc.tokens import LEEWAY_S, NotAccepted, auth_of, peek, shown, verify
from pipeline.signals import Auth, Context

_MAX_TOKEN_BYTES: Final = 16 << 10
_MAX_KNOWN: Final = 1024
_FILE_INTERVAL_S: Final = 1.0
_WORDS_OF_A_HEADER: Final = 2


class Oidc(Extension):
    """Checks the tokens (JWT) of senders against the keys of OpenID Connect issuers.

    The subject of a token is `auth.subject`, its groups `auth.membership`, the token itself `auth.raw`, and each of
    its claims `auth.NAME`. Needs the extra `auth`.
    """

    type = "oidc"
    example = '{providers: [{issuer_url: "https://id.example.com", audience: a, public_keys_file: $TMP/keys.json}]}'
    Config = OidcConfig
    config: OidcConfig

    def __init__(self, config: OidcConfig, host: Host) -> None:
        """Know nobody yet."""
        super().__init__(config, host)
        self._header = config.attribute.lower() or "authorization"
        self._issuers: dict[str, tuple[Provider, Keyring]] = {}
        self._known: OrderedDict[bytes, tuple[Auth, int]] = OrderedDict()

    async def start(self) -> None:
        """Ask each issuer for its keys. Raises StartError where one does not give any."""
        if find_spec("jwt") is None or find_spec("cryptography") is None:
            raise StartError(f'{self.host.id}: tokens need a library: pip install "penstock[auth]"')
        for provider in self.config.all_providers:
            try:
                source = KeyFile(provider.public_keys_file) if provider.public_keys_file else Issuer(provider)
                keyring = Keyring(source, self.host, self._known.clear)
                await keyring.start()
            except StartError as error:
                message = f'{self.host.id}: failed to create OIDC provider for "{provider.issuer_url}": {error}'
                raise StartError(message) from None
            self._issuers[provider.issuer_url] = provider, keyring
            if provider.issuer_url.startswith("http:") and not provider.public_keys_file:
                self.host.log.warning(
                    "Keys come over HTTP: whoever stands in between can let anybody in.", issuer=provider.issuer_url
                )
            interval_s = _FILE_INTERVAL_S if provider.public_keys_file else RENEWAL_S
            self.host.tasks.spawn(partial(keyring.keep, interval_s), "renew keys")

    async def authenticate(self, context: Context) -> Auth:
        """Who the sender is. Raises Unauthenticated, or Refused where that cannot be found out now."""
        try:
            return await self._authenticate(context)
        except NotAccepted as error:
            self._count(error.reason)
            self.host.log.warning("Authentication failed", reason=error.reason, client_ip=context.peer or "unknown")
            raise
        except Refused:
            self._count("keys_unavailable")
            raise

    def _count(self, reason: str) -> None:
        self.host.meter.counter("penstock_oidc_refused", "Tokens that were not accepted.", reason=reason).inc()

    async def _authenticate(self, context: Context) -> Auth:
        token = self._token(context)
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(fingerprint)
        if known is not None and self.host.clock.time_ns() / 1e9 - LEEWAY_S < known[1]:
            self._known.move_to_end(fingerprint)
            return known[0]
        auth, expires_s = await self._verify(token)
        self._known[fingerprint] = auth, expires_s
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return auth

    def _token(self, context: Context) -> str:
        value = next(iter(context.metadata.get(self._header, ())), "")
        if not value:
            raise NotAccepted("authentication didn't succeed", "missing")
        words = value.split(" ")
        if len(words) != _WORDS_OF_A_HEADER or words[0].lower() != "bearer":
            raise NotAccepted("invalid authorization header format", "header")
        if len(words[1]) > _MAX_TOKEN_BYTES:
            raise NotAccepted("failed to parse the token: oidc: malformed jws: too long", "malformed")
        return words[1]

    async def _verify(self, token: str) -> tuple[Auth, int]:
        """Who it is, and until when, in seconds since 1970."""
        header, said_issuer = peek(token)
        issuer = next(iter(self._issuers.values())) if len(self._issuers) == 1 else self._issuers.get(said_issuer)
        if issuer is None:
            name = f'"{shown(said_issuer)}"'
            message = f"failed to resolve OIDC provider for the issuer {name}: no OIDC provider configured for it"
            raise NotAccepted(message, "issuer")
        provider, keyring = issuer
        claims = await verify(token, header, provider, keyring)
        return auth_of(token, claims, provider), int(claims["exp"])
