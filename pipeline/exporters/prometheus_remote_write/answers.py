"""What the answer to a remote write means.

Source: remote write 1.0, "Retries & Backoff": 5xx is to be sent again, 429 may be, other 4xx must not. A Prometheus
that answers 400 has stored nothing of the request (web handler of v2.42 to v3: the transaction is rolled back), a Mimir
all but what it names: the good samples have to be found by sending parts again, which changes nothing of what is there.
"""

from __future__ import annotations

from typing import Final

from pipeline.clock import Clock
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.exporters.http_answers import retry_after_s
from pipeline.exporters.http_backend import Answer
from pipeline.exporters.otlp_answers import clip

_TOO_MANY: Final = 429
# So a Prometheus answers that takes no remote write.
_NOT_FOUND: Final = 404
# Statuses that some of the samples, or the size of the request, can cause.
_DIVISIBLE: Final = frozenset({400, 413, 422})
# What Prometheus says of samples (storage/interface.go, model/histogram, tsdb/head.go), in some releases with status
# 500; reasons are label values.
_REASONS: Final = (
    (b"out of order sample", "out_of_order"),
    (b"duplicate sample", "duplicate"),
    (b"too old sample", "too_old"),
    (b"native histograms are disabled", "native_histograms_disabled"),
    (b"histogram's observation count", "invalid_histogram"),
    (b"histogram has a ", "invalid_histogram"),
    (b"histogram spans specify", "invalid_histogram"),
    (b": invalid sample", "invalid_sample"),
)
# With status 4xx alone: in a 5xx these words may be about the backend itself, which will have recovered when it is
# asked again.
_REASONS_OF_REFUSALS: Final = ((b"out of bounds", "out_of_bounds"), (b"histogram", "invalid_histogram"))


class RejectedSamples(Rejected):
    """The backend does not take what it was sent; `reason` is a label of the metric that counts it."""

    def __init__(self, message: str, reason: str, *, code: Code, said: str, divisible: bool) -> None:
        """Keep the reason."""
        super().__init__(message, code=code, said=said, divisible=divisible)
        self.reason = reason


def error_of(answer: Answer, clock: Clock) -> DeliveryError | None:
    """None for samples that have arrived."""
    status = answer.status
    if 200 <= status < 300:
        return None
    message = f"backend answered HTTP {status}"
    said = clip(answer.body.decode(errors="replace"))
    reason = _reason_of(answer.body, status)
    if status == _TOO_MANY or (status >= 500 and not reason):
        code = Code.RESOURCE_EXHAUSTED if status == _TOO_MANY else Code.UNAVAILABLE
        wait_s = retry_after_s(answer.headers.get("retry-after"), clock)
        return Refused(message, code=code, said=said, retry_after_s=wait_s)
    if 300 <= status < 400:
        message += "; redirects are not followed, set the endpoint to where it leads"
    if status == _NOT_FOUND:
        message += "; is the path right, and does Prometheus run with --web.enable-remote-write-receiver?"
    divisible = status in _DIVISIBLE or status >= 500
    code = Code.INVALID_ARGUMENT if divisible else Code.UNKNOWN
    return RejectedSamples(message, reason or f"http_{status}", code=code, said=said, divisible=divisible)


def _reason_of(body: bytes, status: int) -> str:
    known = _REASONS if status >= 500 else _REASONS + _REASONS_OF_REFUSALS
    return next((reason for words, reason in known if words in body), "")
