"""TLS of clients (Collector v0.145: config/configtls), for gRPC and for HTTP."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, Secret, refused
from pipeline.config.server import TlsVersion
from pipeline.errors import StartError
from pipeline.transport.network_errors import why
from pipeline.transport.private_file import load_identity
from pipeline.transport.tls_versions import limit_versions


class ClientTls(ConfigModel):
    """How the backend proves its identity, and how we prove ours."""

    insecure: bool = Field(False, description="No TLS at all (gRPC; for HTTP the URL's scheme decides).")
    insecure_skip_verify: bool = Field(False, description="Take any certificate of the backend.")
    ca_file: str = Field("", description="File with the certificates to trust, instead of the system's.")
    ca_pem: Secret = Field(Secret(""), description="The certificates to trust, as PEM text.")
    include_system_ca_certs_pool: bool = Field(False, description="Trust the system's certificates beside ours.")
    cert_file: str = Field("", description="File with our certificate, for mutual TLS.")
    cert_pem: Secret = Field(Secret(""), description="Our certificate, as PEM text.")
    key_file: str = Field("", description="File with the key of our certificate.")
    key_pem: Secret = Field(Secret(""), description="The key of our certificate, as PEM text.")
    server_name_override: str = Field("", description="Name that the backend's certificate must hold.")
    min_version: TlsVersion = Field("", description="Least TLS version, 1.2 unless given.")
    max_version: TlsVersion = Field("", description="Highest TLS version; the library's unless given.")
    cipher_suites: tuple[str, ...] = refused(
        "OpenSSL's choice of cipher suites is used; remove the key", accept=([], (), None), default=()
    )
    curve_preferences: tuple[str, ...] = refused(
        "Python's ssl module cannot set curves; remove the key", accept=([], (), None), default=()
    )
    reload_interval: Duration = Field(0.0, ge=0, description="Files are read again after this time; 0: never.")
    tpm: dict[str, object] | None = refused("keys in a TPM are not supported; use key_file or key_pem")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("ca", "cert", "key"):
            if getattr(self, f"{name}_file") and getattr(self, f"{name}_pem").get_secret_value():
                raise InvalidKey(f"give {name}_file or {name}_pem, not both", f"{name}_pem")
        if self._has("cert") is not self._has("key"):
            raise InvalidKey("for mutual TLS, a certificate and its key must both be given", "cert_file")
        if self.min_version and self.max_version and self.min_version > self.max_version:
            raise InvalidKey("min_version must not be above max_version", "min_version")
        return self

    def _has(self, name: str) -> bool:
        return bool(getattr(self, f"{name}_file") or getattr(self, f"{name}_pem").get_secret_value())

    def read(self, name: Literal["ca", "cert", "key"]) -> bytes | None:
        """PEM of the CA, our certificate or its key; None where it is not configured. Raises StartError."""
        pem = getattr(self, f"{name}_pem").get_secret_value()
        if pem:
            return str(pem).encode()
        file = getattr(self, f"{name}_file")
        if not file:
            return None
        try:
            return Path(file).read_bytes()
        except OSError as error:
            raise StartError(f"tls: cannot read {name}_file {file}: {error.strerror}") from None

    def read_all(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """CA, certificate and key, as they are now; compare to see whether files have changed."""
        return self.read("ca"), self.read("cert"), self.read("key")


def ssl_context(tls: ClientTls) -> ssl.SSLContext:
    """The context of a client. Raises StartError for a file that cannot be read or used."""
    ca = tls.read("ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limit_versions(context, tls.min_version, tls.max_version)
    if ca is None or tls.include_system_ca_certs_pool:
        context.load_default_certs()
    try:
        if ca is not None:
            context.load_verify_locations(cadata=ca.decode())
        _load_own_certificate(context, tls)
    except (ssl.SSLError, ValueError) as error:
        named = ", ".join(filter(None, (tls.ca_file, tls.cert_file, tls.key_file)))
        files = f" ({named})" if named else ""
        raise StartError(f"tls: certificates or key cannot be used{files}: {why(error)}") from None
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_own_certificate(context: ssl.SSLContext, tls: ClientTls) -> None:
    cert, key = tls.read("cert"), tls.read("key")
    if cert is not None and key is not None:
        load_identity(context, cert, key)
