"""TLS versions as they stand in configuration, for servers and clients (Collector v0.145: config/configtls)."""

from __future__ import annotations

import ssl
from typing import Final

from pipeline.config.server import TlsVersion

_VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


def limit_versions(context: ssl.SSLContext, min_version: TlsVersion, max_version: TlsVersion) -> None:
    """Set the least version (1.2 unless given) and the highest (the library's unless given) of a context."""
    context.minimum_version = _VERSIONS[min_version or "1.2"]
    if max_version:
        context.maximum_version = _VERSIONS[max_version]
