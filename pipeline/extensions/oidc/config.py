"""Configuration of `oidc` (otelcol `oidcauthextension`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, InvalidKey


class _Issuer(ConfigModel):
    issuer_url: str = Field("", description="URL of the issuer, as it stands in the tokens' `iss`.")
    audience: str = Field("", description="What tokens must name in `aud`.")
    ignore_audience: bool = Field(default=False, description="Take tokens for any audience.")
    issuer_ca_path: str = Field("", description="File with the certificates to trust, instead of the system's.")
    username_claim: str = Field("", description="Claim that is the subject, a text; `sub` unless given.")
    groups_claim: str = Field("", description="Claim that holds the groups: `auth.membership`.")


class Provider(_Issuer):
    """One issuer whose tokens are taken."""

    public_keys_file: str = Field("", description="JWK set to use instead of asking the issuer; watched.")


class OidcConfig(_Issuer):
    """Configuration of `oidc`. The keys of one issuer may stand at the top, as in older Collectors."""

    attribute: str = Field("authorization", description="Name of the header with the token.")
    providers: tuple[Provider, ...] = Field((), description="The issuers whose tokens are taken.")

    @property
    def all_providers(self) -> Sequence[Provider]:
        """The issuers of both forms."""
        top = {key: getattr(self, key) for key in _Issuer.model_fields}
        return (Provider(**top), *self.providers) if any(top.values()) else self.providers

    @model_validator(mode="after")
    def _check(self) -> Self:
        providers = self.all_providers
        if not providers:
            raise ValueError("no issuer configured: give providers")
        listed_from = len(providers) - len(self.providers)
        seen: set[str] = set()
        for index, provider in enumerate(providers):
            path = ("providers", index - listed_from) if index >= listed_from else ()
            if provider.issuer_url in seen:
                raise InvalidKey(f"duplicate issuer URL found: {provider.issuer_url}", *path, "issuer_url")
            seen.add(provider.issuer_url)
            _check_provider(provider, path)
        return self


def _check_provider(provider: Provider, path: tuple[str | int, ...]) -> None:
    if not provider.audience and not provider.ignore_audience:
        raise InvalidKey("no Audience provided for the OIDC configuration", *path, "audience")
    if not provider.issuer_url:
        raise InvalidKey("no IssuerURL provided for the OIDC configuration", *path, "issuer_url")
    parts = urlsplit(provider.issuer_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = f'invalid URL "{provider.issuer_url}": write for example https://issuer.example.com'
        raise InvalidKey(message, *path, "issuer_url")
