"""TLS contexts for brokers: with the name that certificates must hold, and with files that are read again."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any, ClassVar

from pipeline.component import Host
from pipeline.errors import StartError
from pipeline.transport.client_reload import ClientCertificates
from pipeline.transport.client_tls import ClientTls, ssl_context


class KafkaTls(ClientTls):
    """TLS to the brokers; without this block connections are plain."""

    null_is_absent: ClassVar[bool] = True


def broker_context(tls: ClientTls, host: Host, monotonic: Callable[[], float] = time.monotonic) -> ssl.SSLContext:
    """The context that aiokafka's connections are given. Raises StartError for a file that cannot be read or used."""
    context = _BrokerContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.prepare(tls, host, monotonic)
    except StartError as error:
        raise StartError(f"{host.id}: {error}") from None
    return context


class _BrokerContext(ssl.SSLContext):
    """Makes each connection from the certificates as they are now.

    aiokafka has no argument for the expected name and keeps one context for good, so both are done where an event loop
    asks the context for a connection.
    """

    _tls: ClientTls
    _monotonic: Callable[[], float]
    _current: ssl.SSLContext
    _certificates: ClientCertificates
    _look_again: float

    def prepare(self, tls: ClientTls, host: Host, monotonic: Callable[[], float]) -> None:
        """Read the files for the first time."""
        self._tls, self._monotonic = tls, monotonic
        self._certificates = ClientCertificates(tls, host)
        self._use()
        self._look_again = monotonic() + tls.reload_interval

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> Any:
        """A connection, as the event loops make it."""
        self._reload()
        name = self._tls.server_name_override or server_hostname
        return self._current.wrap_bio(incoming, outgoing, server_side, name, session)

    def _reload(self) -> None:
        if not self._tls.reload_interval or self._monotonic() < self._look_again:
            return
        self._look_again = self._monotonic() + self._tls.reload_interval
        self._certificates.renew(self._use)

    def _use(self) -> None:
        self._current = ssl_context(self._tls)
