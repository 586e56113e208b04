"""From a parsed request to its outcome: what the gRPC and the HTTP server share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.component import Host, Stage
from pipeline.config.ids import ComponentId
from pipeline.errors import Code, DeliveryError, Rejected
from pipeline.signals import Batch, Context, Signal

if TYPE_CHECKING:
    from prometheus_client import Counter


@dataclass(frozen=True, slots=True)
class _Counters:
    accepted: Counter
    refused: Counter
    failed: Counter


_ACCEPTED: Final = "Items taken by the pipelines."
_REFUSED: Final = "Items that the pipelines did not take; the sender was told."
_FAILED: Final = "Items lost to an error inside; the sender was told."


class Admission:
    """Hands batches of one transport to the pipelines, counts what becomes of them.

    Attributes:
        stages: where each signal in use goes.
        delivered: whether the answer waits until backends have the data.
        on_repair: counts strings whose invalid UTF-8 was mended.
    """

    def __init__(self, host: Host, transport: str, *, delivered: bool) -> None:
        """`transport` is the label `transport` of the metrics: grpc or http."""
        self.host = host
        self.transport = transport
        self.delivered = delivered
        self.stages: Mapping[Signal, Stage] = {}
        self.receiver = str(host.id)
        self._counters: dict[Signal, _Counters] = {}
        self.on_repair = host.meter.counter(
            "penstock_receiver_repaired_strings", "Strings with invalid UTF-8 that was replaced.", transport=transport
        ).inc

    def connect(self, stages: Mapping[Signal, Stage]) -> None:
        """Hand batches to these stages from now on."""
        for signal in stages:
            self._counters.setdefault(signal, self._make_counters(signal))
        self.stages = stages

    def _make_counters(self, signal: Signal) -> _Counters:
        def counter(what: str, description: str) -> Counter:
            name = f"otelcol_receiver_{what}_{signal.items}"
            return self.host.meter.counter(name, description, transport=self.transport)

        return _Counters(counter("accepted", _ACCEPTED), counter("refused", _REFUSED), counter("failed", _FAILED))

    async def admit(self, batch: Batch) -> None:
        """Hand the batch on; returns when the client may be told that all is well.

        Raises:
            DeliveryError: the pipelines refused or rejected it, or failed; already counted.
        """
        signal, count, delivery = batch.signal, batch.count, batch.delivery
        counters = self._counters[signal]
        try:
            await self.stages[signal].consume(batch)
        except DeliveryError:
            counters.refused.inc(count)
            raise
        except Exception as error:
            counters.failed.inc(count)
            raise self.unexpected(error) from error
        except BaseException:
            counters.refused.inc(count)
            raise
        counters.accepted.inc(count)
        if self.delivered:
            await delivery.wait()

    def unexpected(self, error: Exception) -> Rejected:
        """Write down an error that nobody foresaw; returns what the client is told. Only its type: it may hold text."""
        kind = type(error).__name__
        self.host.log.error("Request failed.", transport=self.transport, error=kind)
        self.host.meter.counter(
            "penstock_receiver_errors", "Requests that failed for a bug.", transport=self.transport
        ).inc()
        return Rejected(f"internal error: {kind}", code=Code.INTERNAL)

    def turned_away(self, reason: str) -> None:
        """Count a request that was answered with an error before it came to a batch."""
        self.host.meter.counter(
            "penstock_receiver_rejected_requests",
            "Requests answered with an error before they came to a batch.",
            transport=self.transport,
            reason=reason,
        ).inc()


class Gate:
    """Builds the context of a request: who sends, from where, with which headers.

    Attributes:
        checks: whether senders must show who they are.
        reads_headers: whether `context` needs the headers.
    """

    def __init__(self, admission: Admission, authenticator_id: ComponentId | None, *, include_metadata: bool) -> None:
        """Find the authenticator. Raises StartError where there is no such extension."""
        self._receiver = admission.receiver
        self._transport = admission.transport
        self._include_metadata = include_metadata
        find = admission.host.authenticator
        self._authenticator = None if authenticator_id is None else find(authenticator_id)
        self.checks = self._authenticator is not None
        self.reads_headers = include_metadata or self.checks

    def plain(self, peer: str) -> Context:
        """The context where headers do not matter."""
        return Context(self._receiver, self._transport, peer)

    async def context(
        self, peer: str, headers: Mapping[str, tuple[str, ...]], more: Mapping[str, tuple[str, ...]] | None = None
    ) -> Context:
        """The context of a request; `more` is shown to the authenticator only. Raises Unauthenticated."""
        auth = None
        if self._authenticator is not None:
            seen = Context(self._receiver, self._transport, peer, {**headers, **more} if more else headers)
            auth = await self._authenticator.authenticate(seen)
        if self._include_metadata:
            return Context(self._receiver, self._transport, peer, headers, auth)
        return Context(self._receiver, self._transport, peer, auth=auth)
