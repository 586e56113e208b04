"""One token against one issuer (OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725)."""

from __future__ import annotations

from typing import Any, Final

from pipeline.errors import Unauthenticated
from pipeline.extensions.oidc.config import Provider
from pipeline.extensions.oidc.keyring import Keyring
from pipeline.extensions.oidc.keys import ALGORITHMS
from pipeline.signals import Auth

LEEWAY_S: Final = 60.0
"""What clocks of an issuer and ours may differ by."""
_MAX_SHOWN: Final = 200
_MAX_KEYS: Final = 32
"""Keys that one token is checked with: one that names none is checked with each, and a stranger may send many."""


class NotAccepted(Unauthenticated):
    """A token is not accepted; `reason` is how it is counted."""

    def __init__(self, message: str, reason: str) -> None:
        """`message` is for the sender."""
        super().__init__(message)
        self.reason = reason


def peek(token: str) -> tuple[dict[str, Any], str]:
    """Header and issuer of a token, as it says itself. Raises NotAccepted for what is no signed token."""
    import jwt  # noqa: PLC0415 - heavy

    try:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise NotAccepted("failed to parse the token: oidc: malformed jws", "malformed") from None
    header, claims = unverified["header"], unverified["payload"]
    if str(header.get("alg")) not in ALGORITHMS:
        message = "failed to parse the token: oidc: malformed jws: unexpected signature algorithm"
        raise NotAccepted(message, "algorithm")
    # RFC 7515, section 4.1.11: extensions that are not understood must not be ignored, and none are.
    if "crit" in header:
        raise NotAccepted("failed to parse the token: oidc: malformed jws: unsupported crit header", "malformed")
    return header, str(claims.get("iss", ""))


async def verify(token: str, header: dict[str, Any], provider: Provider, keyring: Keyring) -> dict[str, Any]:
    """The claims of a token that this issuer signed for us and that is valid now.

    Raises:
        NotAccepted: it is not.
        Refused: that cannot be found out now.
    """
    algorithm = header["alg"]
    if algorithm not in keyring.source.algorithms:
        raise _failed("oidc: id token signed with unsupported algorithm", "algorithm")
    keys = (await keyring.find(str(header.get("kid", "")), algorithm))[:_MAX_KEYS]
    if not keys:
        raise _failed("failed to verify signature: no key of the issuer has the token's key id", "unknown_key")
    for key in keys[:-1]:
        try:
            return _claims(token, algorithm, key.public, provider)
        except NotAccepted as error:
            if error.reason != "signature":
                raise
    return _claims(token, algorithm, keys[-1].public, provider)


def _claims(token: str, algorithm: str, key: Any, provider: Provider) -> dict[str, Any]:
    import jwt  # noqa: PLC0415 - heavy

    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=None if provider.ignore_audience else provider.audience,
            issuer=provider.issuer_url,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss"], "verify_aud": not provider.ignore_audience},
        )
    except jwt.ExpiredSignatureError:
        raise _failed("oidc: token is expired", "expired") from None
    except jwt.ImmatureSignatureError:
        raise _failed("oidc: current time before the nbf (not before) time", "not_yet_valid") from None
    except jwt.InvalidIssuerError:
        message = f'oidc: id token issued by a different provider, expected "{provider.issuer_url}"'
        raise _failed(message, "issuer") from None
    except jwt.InvalidSignatureError:
        raise _failed("failed to verify signature: failed to verify id token signature", "signature") from None
    except jwt.MissingRequiredClaimError as error:
        reason = "audience" if error.claim == "aud" else "claim"
        raise _failed(f'oidc: the token has no claim "{error.claim}"', reason) from None
    except jwt.InvalidAudienceError:
        raise _failed(f'oidc: expected audience "{provider.audience}"', "audience") from None
    except (jwt.InvalidTokenError, jwt.InvalidKeyError, ValueError, OverflowError, TypeError):
        raise _failed("oidc: malformed jwt", "malformed") from None


def _failed(message: str, reason: str) -> NotAccepted:
    return NotAccepted(f"failed to verify token: {message}", reason)


def shown(text: str) -> str:
    """Words of a token that has proved nothing, for its sender."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def auth_of(token: str, claims: dict[str, Any], provider: Provider) -> Auth:
    """What the engine knows of the sender: `subject`, `membership`, `raw` and each claim by its name.

    Raises:
        NotAccepted: the claims that the configuration names are not there.
    """
    membership = _groups(claims, provider.groups_claim)
    attributes = {**claims, "membership": membership, "raw": token}
    return Auth(_subject(claims, provider.username_claim), attributes)


def _subject(claims: dict[str, Any], name: str) -> str:
    if not name:
        return str(claims.get("sub", ""))
    what = "failed to get subject from claims in the token"
    if name not in claims:
        message = "username claim from the OIDC configuration not found on the token returned by the OIDC provider"
        raise NotAccepted(f"{what}: {message}", "claim")
    if not isinstance(claims[name], str):
        message = "the username returned by the OIDC provider isn't a regular string"
        raise NotAccepted(f"{what}: {message}", "claim")
    return str(claims[name])


def _groups(claims: dict[str, Any], name: str) -> tuple[str, ...]:
    if not name:
        return ()
    if name not in claims:
        message = "groups claim from the OIDC configuration not found on the token returned by the OIDC provider"
        raise NotAccepted(f"failed to get groups from claims in the token: {message}", "claim")
    groups = claims[name]
    if isinstance(groups, str):
        return (groups,)
    return tuple(map(str, groups)) if isinstance(groups, list) else ()
