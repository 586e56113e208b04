"""Keys of an issuer: from a JWK set (RFC 7517), with the algorithms that each may be used for (RFC 7518, 8037)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
ALGORITHMS: Final = frozenset((*RSA_ALGORITHMS, *_CURVES.values()))
"""What a token may be signed with: public keys only. A shared secret (HS256) would be a public key here."""
_PUBLIC: Final = ("kty", "crv", "n", "e", "x", "y")
_LEAST_RSA_BITS: Final = 2048
"""RFC 7518, sections 3.3 and 3.5."""


class BadKeys(ValueError):  # noqa: N818 - named for what it is about
    """What should be a JWK set is none, or has no key that can be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: its id (may be empty), what it may verify, and the key as PyJWT takes it."""

    kid: str
    algorithms: frozenset[str]
    public: Any


def read_keys(text: bytes) -> Sequence[Key]:
    """The keys of a JWK set; those for other purposes and of other kinds are passed over.

    Raises:
        BadKeys: no JWK set, or no key in it that can be used.
    """
    try:
        listed = orjson.loads(text)["keys"]
        keys = [key for item in listed if (key := _key(item)) is not None]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadKeys("failed to parse JWKS") from None
    if not keys:
        raise BadKeys("no supported keys (supported types are RSA of 2048 bits or more, ECDSA, and ED25519)")
    return keys


def matching(keys: Iterable[Key], kid: str, algorithm: str) -> Sequence[Key]:
    """Keys that may have signed a token; a token without an id may be signed by any."""
    return [key for key in keys if algorithm in key.algorithms and kid in ("", key.kid)]


def _key(item: dict[str, Any]) -> Key | None:
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm  # noqa: PLC0415 - heavy
    from jwt.exceptions import InvalidKeyError  # noqa: PLC0415 - heavy

    if item.get("use", "sig") != "sig":
        return None
    kind = item.get("kty")
    # Of a private key that was put there by mistake only the public part is taken.
    public: dict[str, Any] = {name: item[name] for name in _PUBLIC if name in item}
    try:
        if kind == "RSA":
            key: Any = RSAAlgorithm.from_jwk(public)
            able: Iterable[str] = RSA_ALGORITHMS if key.key_size >= _LEAST_RSA_BITS else ()
        elif kind in ("EC", "OKP") and item.get("crv") in _CURVES:
            key = (ECAlgorithm if kind == "EC" else OKPAlgorithm).from_jwk(public)
            able = (_CURVES[item["crv"]],)
        else:
            return None
    except (InvalidKeyError, ValueError):
        return None
    algorithms = frozenset(able) & {item.get("alg")} or frozenset(able)
    return Key(str(item.get("kid", "")), algorithms, key) if algorithms else None
