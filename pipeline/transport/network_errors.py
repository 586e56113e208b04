"""Why a connection did not come about, in words that hold nothing a stranger wrote."""

from __future__ import annotations

import errno
import os
import socket
import ssl


def why(error: BaseException) -> str:
    """The reason of OpenSSL or the operating system, else the kind of error, which is of sockets or of aiohttp."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason.lower().replace('_', ' ')}" if cause.reason else type(cause).__name__
    if isinstance(cause, socket.gaierror):
        return "the name is not known"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
        return os.strerror(cause.errno).lower()
    return type(error).__name__
