"""What policies and sessions need of waiting traces: read as spans come, and again where others come to ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from processors.tail_sampling.policy import Watch
from processors.tail_sampling.scanning import Scanner
from processors.tail_sampling.sessions import Sessions
from processors.trace_buffer.dividing import Part
from processors.trace_buffer.store import Store
from processors.trace_buffer.trace import Trace

UNREAD: Final[list[Any]] = []
"""In place of facts that have to be gathered anew."""
NO_FACTS: Final[list[Any]] = []
"""Of all traces, where nobody watches."""


class Reader:
    """Gathers the facts of traces.

    Attributes:
        watches: who asks for facts, by their place among them.
        begin: makes the facts of a trace without spans, one each.
        sessions: what a session is; None where traces have randomness of their own.
        scanner: reads spans; it raises where they cannot be read.
    """

    def __init__(self, watches: tuple[Watch, ...], sessions: Sessions | None, on_failure: Callable[[], None]) -> None:
        """`on_failure()` is told of spans that some watch could not read."""
        self.sessions = sessions
        self.watches = watches if sessions is None else (*watches, sessions.watch)
        self.begin = [watch.begin for watch in self.watches]
        self.scanner = Scanner(self.watches, on_failure)
        self._on_failure = on_failure

    def scan(self, trace: Trace, part: Part) -> None:
        """Read the spans of a part."""
        _, head, body, spans = part
        try:
            self.scanner.scan(trace, head, body, spans)
        except Exception:  # noqa: BLE001 - spans that nobody can read must not cost the trace
            self._on_failure()

    def scan_again(self, trace: Trace, store: Store) -> None:
        """Gather the facts of a trace anew, from what the store has of it."""
        try:
            self.scanner.scan_again(trace, ((head, body) for head, body, _ in store.pieces(trace)))
        except OSError:
            # It is lost when it leaves.
            trace.facts = [begin() for begin in self.begin]

    def session_of(self, trace: Trace) -> int | None:
        """R of the session, which becomes that of the trace; None where its own counts."""
        if self.sessions is None or trace.was_sampled:
            return None
        randomness = self.sessions.randomness(trace.facts[-1])
        if randomness is not None:
            trace.randomness = randomness
        return randomness
