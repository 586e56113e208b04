"""Certificates of a test authority: for servers, for clients, from elsewhere, expired."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """A certificate authority that writes what it issues into a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, name: str, *, ends_in: timedelta = timedelta(days=30)) -> dict[str, str]:
        """Keys `cert_file` and `key_file` of a certificate for localhost, written over one of the same name."""
        end = datetime.now(UTC) + ends_in
        certificate = self.ca.issue_cert(
            "localhost", "127.0.0.1", not_before=end - timedelta(days=60), not_after=end, common_name=name
        )
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.private_key_pem.write_to_path(str(key))
        cert.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
        return {"cert_file": str(cert), "key_file": str(key)}

    def client_context(self, identity: dict[str, str] | None = None) -> ssl.SSLContext:
        """Trusts this authority, and shows a certificate where there is one."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if identity is not None:
            context.load_cert_chain(identity["cert_file"], identity["key_file"])
        return context
