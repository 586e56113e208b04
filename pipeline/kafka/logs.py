"""What aiokafka writes to its log, kept down: a broker that is away must not flood ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

_LIBRARY: Final = "aiokafka"
_PAUSE_S: Final = 60.0
_KNOWN: Final = frozenset(
    (
        "Sending username and password in the clear",
        'Unable connect to "%s:%s": %s',
        'Unable to request metadata from "%s:%s": %s',
        "Unable connect to node with id %s: %s",
        "Unable to update metadata from %s",
        "Failed fetch messages from %s: %s",
        "Error sending %s to node %s [%s] -- marking coordinator dead",
        "Marking the coordinator dead (node %s)for group %s.",
        "Heartbeat send request failed: %s. Will retry.",
        "Group Coordinator Request failed: %s",
        "Got error produce response: %s",
        "Topic %s not found in cluster metadata",
        "Topic %s is not available during auto-create initialization",
    )
)
"""What the configuration says already, and what components tell with its reason: no broker, no such topic.

Of the library's lines the log has the format alone, so these would say less than ours.
"""


class OncePerPause(logging.Handler):
    """Passes warnings and errors of the library on, of each call site one in a minute.

    Its debug lines would hold requests with telemetry in them, so they are never made.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` gives seconds that never go back."""
        super().__init__(logging.WARNING)
        self._monotonic = monotonic
        self._last: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record to the handlers of the root logger, or keep it back."""
        site, now = (record.pathname, record.lineno), self._monotonic()
        if record.msg in _KNOWN or now - self._last.get(site, -_PAUSE_S) < _PAUSE_S:
            return
        self._last[site] = now
        logging.getLogger().handle(record)


def calm() -> None:
    """Put the handler in place; once is enough for the process."""
    library = logging.getLogger(_LIBRARY)
    if not any(isinstance(handler, OncePerPause) for handler in library.handlers):
        library.addHandler(OncePerPause())
        library.setLevel(logging.WARNING)
        library.propagate = False
