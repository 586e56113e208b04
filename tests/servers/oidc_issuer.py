"""An OpenID Connect issuer over HTTP or HTTPS: metadata, keys, and tokens signed with them."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "penstock"


@dataclass(frozen=True)
class SigningKey:
    """A key with its id, and the algorithm that tokens are signed with."""

    kid: str
    algorithm: str
    private: Any

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public part as the issuer publishes it."""
        family: Any = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}[self.algorithm[0]]
        if self.algorithm == "EdDSA":
            family = OKPAlgorithm
        public: dict[str, Any] = json.loads(family.to_jwk(self.private.public_key()))
        return public | {"kid": self.kid, "use": "sig"} | more

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token; header members that are None are left out."""
        headers = {"kid": self.kid} | header
        return jwt.encode(
            dict(claims), self.private, self.algorithm, headers={k: v for k, v in headers.items() if v is not None}
        )


@cache
def key(kid: str = "first", algorithm: str = "RS256") -> SigningKey:
    """The key of this name, made once: RSA keys take their time."""
    curves: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if algorithm in curves:
        return SigningKey(kid, algorithm, ec.generate_private_key(curves[algorithm]))
    if algorithm == "EdDSA":
        return SigningKey(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
    return SigningKey(kid, algorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048))


@dataclass
class Issuer:
    """What the issuer publishes; tests change it while it runs."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [key().jwk()])
    metadata: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    requests: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """Answers wait for it."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good token; those that are None are left out."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "team-a", "iat": now, "nbf": now, "exp": now + 3600}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, signer: SigningKey | None = None, **changes: Any) -> str:
        """A token with these claims, signed by this key; the issuer's first unless given."""
        return (signer or key()).sign(self.claims(**changes))

    def provider(self, **more: Any) -> dict[str, Any]:
        """The block of the configuration that trusts this issuer."""
        return {"issuer_url": self.url, "audience": AUDIENCE, **more}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """One request."""
        self.requests.append(request.path)
        if self.hold is not None:
            await self.hold.wait()
        if self.status != 200:
            return web.Response(status=self.status)
        if request.path == "/keys":
            return web.json_response({"keys": self.keys})
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.metadata)
        return web.Response(status=404)


@asynccontextmanager
async def issuer(tls: ssl.SSLContext | None = None) -> AsyncIterator[Issuer]:
    """An issuer on a free port of localhost."""
    running = Issuer()
    runner = web.ServerRunner(web.Server(running.answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    running.url = f"{'http' if tls is None else 'https'}://localhost:{port}"
    try:
        yield running
    finally:
        await runner.cleanup()
