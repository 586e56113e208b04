"""Why a connection did not come about, in words that hold nothing a stranger wrote."""

from __future__ import annotations

import ssl


def why(error: BaseException) -> str:
    """OpenSSL's own reason where TLS failed, else the kind of error. Takes errors of sockets and of aiohttp."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return f"TLS: {cause.reason.lower().replace('_', ' ')}"
    return type(error).__name__
