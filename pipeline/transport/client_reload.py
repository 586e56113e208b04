"""Certificate files of clients that are read again while they are in use."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.component import Host
from pipeline.errors import StartError
from pipeline.transport.certificates import CertificateNews
from pipeline.transport.client_tls import ClientTls


class ClientCertificates:
    """Knows which files a client uses, takes over changed ones, and tells when its own certificate expires."""

    def __init__(self, tls: ClientTls, host: Host) -> None:
        """Raises StartError for a file that cannot be read."""
        self._tls, self._host = tls, host
        self._tried = self._used = tls.read_all()
        self._news = CertificateNews.of(host, "client")
        self._news.watch(lambda: self._used[1])

    def renew(self, use: Callable[[], None]) -> None:
        """Have files that have changed taken over by `use`, which raises StartError for those it cannot use."""
        try:
            found = self._tls.read_all()
            if found == self._tried:
                return
            self._tried = found
            use()
        except StartError as error:
            self._news.kept(str(error))
        else:
            self._used = found
            self._news.replaced()

    async def watch(self, use: Callable[[], None]) -> None:
        """As `renew`, every `reload_interval`; returns at once where that is 0."""
        while self._tls.reload_interval:
            await self._host.clock.sleep(self._tls.reload_interval)
            self.renew(use)
