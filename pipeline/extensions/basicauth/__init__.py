"""The `basicauth` extension."""

from pipeline.extensions.basicauth.extension import BasicAuth, BasicAuthConfig

__all__ = ["BasicAuth", "BasicAuthConfig"]
