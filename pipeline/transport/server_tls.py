"""TLS of servers (Collector v0.145: config/configtls), for gRPC and for HTTP."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.config.server import ServerTls
from pipeline.errors import StartError
from pipeline.transport.certificates import CertificateNews
from pipeline.transport.network_errors import why
from pipeline.transport.private_file import load_identity
from pipeline.transport.tls_versions import limit_versions

if TYPE_CHECKING:
    from pipeline.component import Host


class _Files:
    """Certificate, key and client CA, read again when the configuration says so; the last that work are in force."""

    def __init__(self, tls: ServerTls, protocol: str) -> None:
        self._tls, self._protocol = tls, protocol
        self._lock = Lock()
        self._read_at = time.monotonic()
        self._client_ca_version = self._version()
        self._tried = self._used = self._read()
        self._context = _context(tls, protocol, *self._used)
        self.news: CertificateNews | None = None

    def _version(self) -> tuple[int, ...]:
        if not self._tls.client_ca_file_reload:
            return ()
        stat = Path(self._tls.client_ca_file).stat()
        # The size, too: a file that is being written may be read and completed within one tick of its clock.
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size

    def _read(self) -> tuple[bytes, bytes, bytes | None]:
        tls = self._tls
        cert = tls.cert_pem.get_secret_value().encode() or _read(tls.cert_file)
        key = tls.key_pem.get_secret_value().encode() or _read(tls.key_file)
        return cert, key, _read(tls.client_ca_file) if tls.client_ca_file else None

    @property
    def may_change(self) -> bool:
        return bool(self._tls.reload_interval or self._tls.client_ca_file_reload)

    def certificate(self) -> bytes:
        """The one in force. Whoever looks at the metrics looks from a thread, hence the lock."""
        self.current()
        return self._used[0]

    def current(self) -> ssl.SSLContext:
        """What to use now."""
        with self._lock:
            try:
                if self._is_due():
                    self._renew()
            except (OSError, StartError) as error:
                if self.news is not None:
                    self.news.kept(str(error))
            return self._context

    def _is_due(self) -> bool:
        tls, now = self._tls, time.monotonic()
        is_due = bool(tls.reload_interval and now - self._read_at >= tls.reload_interval)
        if is_due:
            self._read_at = now
        version = self._version()
        is_due = is_due or version != self._client_ca_version
        self._client_ca_version = version
        return is_due

    def _renew(self) -> None:
        tls, used, found = self._tls, self._used, self._read()
        identity = found[:2] if tls.reload_interval else used[:2]
        found = (*identity, found[2] if tls.client_ca_file_reload else used[2])
        # What could not be used is not tried for every connection.
        if found == self._tried:
            return
        self._tried = found
        self._context = _context(tls, self._protocol, *found)
        self._used = found
        if self.news is not None:
            self.news.replaced()


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise StartError(f"tls: cannot read {file}: {error.strerror}") from None


class _Renewing(ssl.SSLContext):
    """Makes each connection from the files as they are now.

    Each state of the files has a context of its own: a session resumed from an earlier one would not have its client's
    certificate checked again.
    """

    files: _Files

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """A connection, as the event loops make it."""
        return self.files.current().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def ssl_context(tls: ServerTls, *, protocol: str = "http/1.1", news: CertificateNews | None = None) -> ssl.SSLContext:
    """The context of a server that speaks `protocol` (its ALPN id). Raises StartError for files that cannot be used.

    `news` is told when the certificate expires and how reading it again goes.
    """
    try:
        files = _Files(tls, protocol)
    except OSError as error:
        raise StartError(f"tls: cannot read {tls.client_ca_file}: {error.strerror}") from None
    if news is not None:
        files.news = news
        news.watch(files.certificate)
    if not files.may_change:
        return files.current()
    context = _Renewing(ssl.PROTOCOL_TLS_SERVER)
    context.files = files
    return context


def port_context(
    tls: ServerTls | None, host: Host, endpoint: str, *, protocol: str = "http/1.1"
) -> ssl.SSLContext | None:
    """As `ssl_context`, for a port of a component, whose metrics tell of the certificate; None for plaintext."""
    if tls is None:
        return None
    return ssl_context(tls, protocol=protocol, news=CertificateNews.of(host, "server", endpoint=endpoint))


def _files(tls: ServerTls) -> str:
    """Names of the files in question, for an error; nothing where all is text."""
    named = (tls.cert_file, tls.key_file, tls.client_ca_file)
    return f" ({', '.join(filter(None, named))})" if any(named) else ""


def _context(tls: ServerTls, protocol: str, cert: bytes, key: bytes, client_ca: bytes | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols([protocol])
    limit_versions(context, tls.min_version, tls.max_version)
    try:
        load_identity(context, cert, key)
        if client_ca is not None:
            context.load_verify_locations(cadata=client_ca.decode())
            context.verify_mode = ssl.CERT_REQUIRED
            # A resumed session would outlive the certificate that its client had shown.
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
    except (ssl.SSLError, ValueError) as error:
        raise StartError(f"tls: certificate or key cannot be used{_files(tls)}: {why(error)}") from None
    return context
