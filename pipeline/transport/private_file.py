"""A certificate with its key, as text, into a TLS context: the ssl module reads them from files only."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def load_identity(context: ssl.SSLContext, cert: bytes, key: bytes) -> None:
    """Use this certificate and key, both PEM. Raises ssl.SSLError where they cannot be used or are no pair."""
    with _file_of(cert + b"\n" + key) as path:
        context.load_cert_chain(path)


@contextmanager
def _file_of(content: bytes) -> Iterator[str]:
    """The path of a file for this process alone; where the system can, it is in memory and on no disk."""
    descriptor = _memory_file()
    if descriptor is None:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def _memory_file() -> int | None:
    """A file without a name (memfd_create(2)) that can be opened by path; None where there is no such thing."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    except OSError:
        return None
    if os.access(f"/proc/self/fd/{descriptor}", os.R_OK):
        return descriptor
    os.close(descriptor)
    return None
