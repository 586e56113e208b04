"""What a port or a client tells of its certificates: when the one in force expires, and how reading it again went."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from pipeline.component import Host
    from pipeline.telemetry.log import Log
    from pipeline.telemetry.meter import Meter

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_CONTEXT_0: Final = 0xA0
"""Tag of the version, the only optional field before the validity (RFC 5280, section 4.1)."""
_UTC_TIME: Final = 0x17


class CertificateNews:
    """Metrics and log lines about the certificate of one port or client.

    `penstock_certificate_expiry_timestamp_seconds` lasts as long as the component; `penstock_certificate_reloads`
    counts by `outcome`: `success`, or `failure` where new files cannot be used and the old ones stay in force.
    """

    def __init__(
        self, meter: Meter, log: Log, component: str, role: Literal["server", "client"], **labels: str
    ) -> None:
        """Say nothing yet. `labels` tell ports of one component apart."""
        self._meter = meter
        self._log = log
        self._labels = {"component": component, "role": role, **labels}
        self._problem = ""

    @classmethod
    def of(cls, host: Host, role: Literal["server", "client"], **labels: str) -> CertificateNews:
        """The news of a component."""
        return cls(host.meter, host.log, str(host.id), role, **labels)

    def watch(self, certificate: Callable[[], bytes | None]) -> None:
        """Show when the certificate expires that this function gives (PEM; None where there is none)."""
        if certificate() is None:
            return

        def expires() -> float:
            return expiry_s(certificate() or b"")

        self._meter.watch(
            "penstock_certificate_expiry_timestamp_seconds",
            "When the certificate in force expires, seconds since 1970.",
            expires,
            **self._labels,
        )

    def replaced(self) -> None:
        """New files are in force."""
        self._problem = ""
        self._count("success")
        self._log.info("Certificates reloaded.", **self._labels)

    def kept(self, problem: str) -> None:
        """New files cannot be used; told once for each problem."""
        if problem == self._problem:
            return
        self._problem = problem
        self._count("failure")
        self._log.error("Certificates cannot be read again. The old ones stay in force.", error=problem, **self._labels)

    def _count(self, outcome: str) -> None:
        self._meter.counter(
            "penstock_certificate_reloads",
            "Changes of certificate files, by whether they could be used.",
            outcome=outcome,
            **self._labels,
        ).inc()


def expiry_s(pem: bytes) -> float:
    """When the first certificate of a PEM text expires, in seconds since 1970.

    Raises:
        ValueError: there is none.
    """
    found = _PEM.search(pem.decode("ascii", "replace"))
    if found is None:
        raise ValueError("no certificate")
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(found[0]))
    except IndexError:
        raise ValueError("no certificate") from None


def _not_after(der: bytes) -> float:
    """`notAfter` of a certificate: the second time of the fourth field of `TBSCertificate` (RFC 5280, section 4.1).

    Read by hand: the `cryptography` library comes with the extra `auth` only, and `ssl` tells of its peers' alone.
    """
    _, at, _ = _element(der, 0)
    _, at, _ = _element(der, at)
    tag, _, end = _element(der, at)
    # Version where it is given, then serial number, signature algorithm, issuer, validity.
    for _ in range(3 if tag == _CONTEXT_0 else 2):
        _, _, end = _element(der, end)
    _, at, _ = _element(der, end)
    _, _, at = _element(der, at)
    tag, at, end = _element(der, at)
    return _time_s(tag, der[at:end].decode("ascii"))


def _time_s(tag: int, text: str) -> float:
    """Seconds since 1970 of `UTCTime` (a year of two digits, 1950 to 2049) or `GeneralizedTime`."""
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag of the element at an offset, where its content begins, and where it ends (X.690, section 8.1)."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[start : start + size], "big")
        start += size
    return tag, start, start + length
