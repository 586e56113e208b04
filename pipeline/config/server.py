"""Keys that every server has, component or page: TLS (Collector v0.145: config/configtls), and who checks clients."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.durations import Duration
from pipeline.config.model import ConfigModel, InvalidKey, refused
from pipeline.config.types import ExtensionRef, Secret

TlsVersion = Literal["", "1.0", "1.1", "1.2", "1.3"]
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


class ServerAuth(ConfigModel):
    """Which extension checks clients."""

    null_is_absent: ClassVar[bool] = True

    authenticator: ExtensionRef = Field(description="Id of an authenticator extension.")


class PageAuth(ServerAuth):
    """As ServerAuth, for a page that people, scrapers and probes look at."""

    request_params: Any = refused("credentials are taken from headers", accept=([], ()), default=())
