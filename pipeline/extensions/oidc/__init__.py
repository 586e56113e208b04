"""The `oidc` extension: tokens of an OpenID Connect issuer, of those who send to us."""

from pipeline.extensions.oidc.extension import Oidc

__all__ = ["Oidc"]
