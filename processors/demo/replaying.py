"""One after the other, pass after pass: recorded requests go to a collector, and what became of them is counted."""

from __future__ import annotations

import http.client
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from pipeline.errors import DeliveryError
from pipeline.signals import Signal
from processors.demo.renewal import Recorded, Renewal
from processors.demo.replay import TRY_AGAIN, Answer, Endpoint

PATIENCE_S: Final = 60.0
"""How long one request is tried."""
_PROTOBUF: Final = "application/x-protobuf"
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
_NAP_S: Final = 0.2
_BEHIND_S: Final = 1.0
"""What has not been sent in time is made up for as far as this."""


@dataclass(slots=True)
class Tally:
    """What was sent; every span and log record is in one of the two."""

    sent: Counter[Signal] = field(default_factory=Counter)
    refused: Counter[Signal] = field(default_factory=Counter)
    requests: int = 0
    passes: int = 0

    def line(self, seconds: float) -> str:
        """All of it in one line."""
        return (
            f"sent {_items(self.sent)} in {self.requests:,} requests, {self.passes:,} whole passes, {seconds:.1f} s; "
            f"refused {_items(self.refused)}"
        )


def _items(counts: Counter[Signal]) -> str:
    return f"{counts[Signal.TRACES]:,} spans and {counts[Signal.LOGS]:,} log records"


class Replay:
    """Sends recordings to an endpoint."""

    def __init__(
        self, endpoint: Endpoint, recording: Sequence[Recorded], *, rate: float | None, is_over: Callable[[], bool]
    ) -> None:
        """Take spans a second, None for as many as are taken, and what tells that it is time to end."""
        self.tally = Tally()
        self._endpoint = endpoint
        self._recording = recording
        self._rate = rate
        self._is_over = is_over
        self._due_s = 0.0
        self._warned = ""

    def run(self, *, loop: bool) -> None:
        """Send all of it once, or again and again, until it is over.

        Raises:
            DeliveryError: the very first request was refused for good.
        """
        renewal = Renewal(self._recording)
        self._due_s = time.monotonic()
        while self._one_pass(renewal) and loop:
            renewal.next_pass()

    def _one_pass(self, renewal: Renewal) -> bool:
        """Returns whether it came to the end."""
        for recorded in self._recording:
            self._sleep(self._due_s - time.monotonic())
            if self._is_over():
                return False
            self._send(recorded, renewal.renewed(recorded, time.time_ns()))
            if self._rate and recorded.signal is Signal.TRACES:
                self._due_s = max(self._due_s, time.monotonic() - _BEHIND_S) + recorded.count / self._rate
        self.tally.passes += 1
        return True

    def _send(self, recorded: Recorded, body: bytes) -> None:
        answer = self._answer(recorded.signal, body)
        refused = recorded.count
        if answer is not None and answer.status == http.HTTPStatus.OK:
            refused = _rejected(recorded.signal, answer)
        elif answer is not None and not self.tally.requests and answer.status not in TRY_AGAIN:
            raise DeliveryError(f"the collector answered {answer}")
        self.tally.requests += 1
        self.tally.refused[recorded.signal] += refused
        self.tally.sent[recorded.signal] += recorded.count - refused

    def _answer(self, signal: Signal, body: bytes) -> Answer | None:
        """The last answer, None where nobody answers."""
        give_up_s, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
        while True:
            answer, reason = self._post(signal, body)
            if answer is not None and answer.status not in TRY_AGAIN:
                self._warn("" if answer.status == http.HTTPStatus.OK else f"refused: {reason}")
                return answer
            self._warn(f"trying again: {reason}")
            if time.monotonic() + pause_s > give_up_s or self._is_over():
                return answer
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _post(self, signal: Signal, body: bytes) -> tuple[Answer | None, str]:
        try:
            answer = self._endpoint.post(signal.value, _PROTOBUF, body)
        except (OSError, http.client.HTTPException) as error:
            return None, str(error) or type(error).__name__
        return answer, str(answer)

    def _warn(self, reason: str) -> None:
        """Say it once, until something else happens."""
        if reason and reason != self._warned:
            sys.stderr.write(f"Warning: {reason}\n")
        self._warned = reason

    def _sleep(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0 and not self._is_over():
            time.sleep(min(left_s, _NAP_S))


def _rejected(signal: Signal, answer: Answer) -> int:
    """Items that a collector did not take of a request which it took; 0 where the answer is not OTLP."""
    try:
        partial = getattr(signal.response_class.FromString(answer.text), "partial_success", None)
    except DecodeError:
        return 0
    name = "rejected_spans" if signal is Signal.TRACES else "rejected_log_records"
    return int(getattr(partial, name, 0))
