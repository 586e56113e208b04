"""When a server probes, closes or scolds a connection (grpc-go, `keepalive.ServerParameters`, `EnforcementPolicy`)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Final, Protocol

_DEFAULT_PING_S: Final = 7200.0
_DEFAULT_PING_TIMEOUT_S: Final = 20.0
_DEFAULT_MIN_PING_S: Final = 300.0
_MIN_PING_WITHOUT_STREAM_S: Final = 7200.0
_MAX_STRIKES: Final = 2
_AGE_JITTER: Final = 0.1


class Probed(Protocol):
    """A connection as its keepalive sees it."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def leave(self) -> None:
        """Take no new requests; close when those under way are answered."""

    def abort(self) -> None:
        """Close at once."""


@dataclass(frozen=True, slots=True)
class KeepaliveSettings:
    """Times in seconds; 0: gRPC's default, or never."""

    max_idle_s: float = 0.0
    max_age_s: float = 0.0
    max_age_grace_s: float = 0.0
    ping_s: float = 0.0
    ping_timeout_s: float = 0.0
    min_ping_s: float = 0.0
    pings_without_stream: bool = False


class Keepalive:
    """The timers of one connection."""

    def __init__(self, settings: KeepaliveSettings, connection: Probed) -> None:
        """`start` begins."""
        self._settings = settings
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._ping_s = settings.ping_s or _DEFAULT_PING_S
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._read_at_s = self._loop.time()
        self._pinged_at_s: float | None = None
        self._last_ping_s = float("-inf")
        self._strikes = 0

    def start(self) -> None:
        """The connection is there."""
        settings = self._settings
        if settings.max_age_s:
            # Connections made together do not end together.
            self._after("age", settings.max_age_s * random.uniform(1 - _AGE_JITTER, 1 + _AGE_JITTER), self._aged)  # noqa: S311 - no secret
        self._after("ping", self._ping_s, self._probe)
        self.idle()

    def stop(self) -> None:
        """The connection has gone."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def read(self) -> None:
        """The client has shown that it lives."""
        self._read_at_s = self._loop.time()

    def wrote(self) -> None:
        """An answer was sent: clients may ping again."""
        self._strikes = 0

    def idle(self) -> None:
        """No request is under way any more."""
        if self._settings.max_idle_s:
            self._after("idle", self._settings.max_idle_s, self._idled)

    def may_ping(self) -> bool:
        """A ping has come; False when there were too many."""
        settings = self._settings
        now = self._loop.time()
        without_stream = self._connection.is_idle and not settings.pings_without_stream
        least_s = _MIN_PING_WITHOUT_STREAM_S if without_stream else settings.min_ping_s or _DEFAULT_MIN_PING_S
        if now - self._last_ping_s < least_s:
            self._strikes += 1
        self._last_ping_s = now
        return self._strikes <= _MAX_STRIKES

    def _after(self, what: str, seconds: float, do: object) -> None:
        timer = self._timers.get(what)
        if timer is not None:
            timer.cancel()
        assert callable(do), "a method"  # noqa: S101 - for the type checker
        self._timers[what] = self._loop.call_later(seconds, do)

    def _aged(self) -> None:
        self._connection.leave()
        if self._settings.max_age_grace_s:
            self._after("grace", self._settings.max_age_grace_s, self._connection.abort)

    def _idled(self) -> None:
        if self._connection.is_idle:
            self._connection.leave()

    def _probe(self) -> None:
        silent_s = self._loop.time() - self._read_at_s
        if self._pinged_at_s is not None and self._read_at_s < self._pinged_at_s:
            self._connection.abort()
        elif silent_s >= self._ping_s:
            self._pinged_at_s = self._loop.time()
            self._connection.ping()
            self._after("ping", self._settings.ping_timeout_s or _DEFAULT_PING_TIMEOUT_S, self._probe)
        else:
            self._pinged_at_s = None
            self._after("ping", self._ping_s - silent_s, self._probe)
