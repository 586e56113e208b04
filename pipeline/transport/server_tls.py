"""TLS of servers (otelcol.md, 2.5), for gRPC and for HTTP."""

from __future__ import annotations

import ssl
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, Secret, refused
from pipeline.errors import StartError
from pipeline.transport.tls_versions import TlsVersion, limit_versions

_CLIENTS: Final = "certificates of clients are checked with client_ca_file; remove the key"


class ServerTls(ConfigModel):
    """How the server proves its identity, and which client certificates it asks for."""

    null_is_absent: ClassVar[bool] = True

    cert_file: str = Field("", description="File with the server's certificate and its chain.")
    cert_pem: Secret = Field(Secret(""), description="The certificate, as PEM text.")
    key_file: str = Field("", description="File with the certificate's key.")
    key_pem: Secret = Field(Secret(""), description="The key, as PEM text.")
    client_ca_file: str = Field("", description="Clients must show a certificate signed by one in this file.")
    client_ca_file_reload: bool = Field(default=False, description="Read client_ca_file again when it changes.")
    min_version: TlsVersion = Field("", description="Least TLS version, 1.2 unless given.")
    max_version: TlsVersion = Field("", description="Highest TLS version; the library's unless given.")
    reload_interval: Duration = Field(0.0, ge=0, description="Certificate and key are read again after this time.")
    ca_file: str = refused(_CLIENTS, accept=("",), default="")
    ca_pem: Secret = refused(_CLIENTS, accept=("",), default=Secret(""))
    include_system_ca_certs_pool: bool = refused(_CLIENTS, accept=(False,), default=False)
    cipher_suites: tuple[str, ...] = refused(
        "OpenSSL's choice of cipher suites is used; remove the key", accept=([], (), None), default=()
    )
    curve_preferences: tuple[str, ...] = refused(
        "OpenSSL's choice of curves is used; remove the key", accept=([], (), None), default=()
    )
    tpm: dict[str, object] | None = refused("keys in a TPM are not supported; use key_file or key_pem")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("cert", "key"):
            if getattr(self, f"{name}_file") and getattr(self, f"{name}_pem").get_secret_value():
                raise InvalidKey(f"give {name}_file or {name}_pem, not both", f"{name}_pem")
        if not (self._has("cert") and self._has("key")):
            raise InvalidKey("TLS of a server needs both a certificate and a key: give cert_file and key_file")
        if self.min_version and self.max_version and self.min_version > self.max_version:
            raise InvalidKey("min_version must not be above max_version", "min_version")
        return self

    def _has(self, name: str) -> bool:
        return bool(getattr(self, f"{name}_file") or getattr(self, f"{name}_pem").get_secret_value())


class _Files:
    """Certificate, key and client CA, read again when the configuration says so."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self._identity = self._read_identity()
        self._client_ca = _read(tls.client_ca_file) if tls.client_ca_file else None
        self._read_at = time.monotonic()
        self._client_ca_version = self._version()

    def _version(self) -> int:
        return Path(self._tls.client_ca_file).stat().st_mtime_ns if self._tls.client_ca_file_reload else 0

    def _read_identity(self) -> tuple[bytes, bytes]:
        tls = self._tls
        cert = tls.cert_pem.get_secret_value().encode() or _read(tls.cert_file)
        return cert, tls.key_pem.get_secret_value().encode() or _read(tls.key_file)

    @property
    def may_change(self) -> bool:
        return bool(self._tls.reload_interval or self._tls.client_ca_file_reload)

    def current(self) -> tuple[bytes, bytes, bytes | None]:
        """What to use now. Files that cannot be read any more leave the last good ones in force."""
        try:
            now = time.monotonic()
            if self._tls.reload_interval and now - self._read_at >= self._tls.reload_interval:
                self._read_at = now
                self._identity = self._read_identity()
            if (version := self._version()) != self._client_ca_version:
                self._client_ca_version = version
                self._client_ca = _read(self._tls.client_ca_file)
        except (OSError, StartError):
            pass
        return (*self._identity, self._client_ca)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise StartError(f"tls: cannot read {file}: {error.strerror}") from None


def ssl_context(tls: ServerTls, *, protocol: str = "http/1.1") -> ssl.SSLContext:
    """The context of a server that speaks `protocol` (its ALPN id). Raises StartError for files that cannot be used."""
    files = _Files(tls)
    used = files.current()
    context = _context(tls, protocol, *used)
    if files.may_change:
        newest = context

        def choose(connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
            nonlocal used, newest
            if (current := files.current()) != used:
                # A pair that does not fit is one being replaced: the old one serves on.
                with suppress(StartError):
                    newest = _context(tls, protocol, *current)
                    used = current
            connection.context = newest

        context.sni_callback = choose
    return context


def _context(tls: ServerTls, protocol: str, cert: bytes, key: bytes, client_ca: bytes | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols([protocol])
    limit_versions(context, tls.min_version, tls.max_version)
    try:
        # The ssl module reads certificates from files only.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(cert + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
        if client_ca is not None:
            context.load_verify_locations(cadata=client_ca.decode())
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError) as error:
        raise StartError(f"tls: certificate or key cannot be used: {type(error).__name__}") from None
    return context
