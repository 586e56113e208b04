"""Every error Penstock raises on purpose. Foreign errors are mapped to these at the edge where they occur.

PenstockError
|- ConfigError          the configuration cannot be used; holds every problem found, each with its position
|- StartError           a component cannot start (a port in use, a file that cannot be read)
|- DeliveryError        a batch was not taken; `code` is a gRPC status code for the client
   |- Refused           not now: the sender may come back (memory limit, full queue, backend away)
   |- Rejected          never: malformed, too large, or the backend says so
      |- Unauthenticated    the sender did not prove who it is
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """gRPC status codes (google.rpc.Code), which OTLP uses over HTTP too."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class PenstockError(Exception):
    """Root of the tree: catch this to catch everything Penstock raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration, with the place where a person can mend it."""

    message: str
    """What is wrong, what was expected, and what to do."""
    path: tuple[str | int, ...] = ()
    """Keys from the top of the file, e.g. `("receivers", "otlp", "protocols")`."""
    file: str | None = None
    line: int | None = None
    """1-based."""
    column: int | None = None
    """1-based."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        keys = "::".join(str(key) for key in self.path)
        return ": ".join(part for part in (place, keys, self.message) if part)


class ConfigError(PenstockError):
    """The configuration cannot be used. `problems` holds all that was found, not only the first."""

    def __init__(self, *problems: Problem) -> None:
        """Collect the problems; the text of the error has one line for each."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StartError(PenstockError):
    """A component cannot start; the text names the component and the cause."""


class DeliveryError(PenstockError):
    """A batch was not taken. Raised by `consume` and `export`; receivers turn it into their protocol's answer.

    Args:
        message: for the sender; never contains payload text.
        code: gRPC status for the client; None lets the receiver choose by the class of the error.
        details: serialised `google.rpc.Status` details of a backend, passed through to the client.
        said: a backend's own words. A backend may repeat what it was sent: they go to the sender and to no log.
    """

    def __init__(self, message: str, *, code: Code | None = None, details: bytes | None = None, said: str = "") -> None:
        """Keep the message and the status the client is to see."""
        super().__init__(message)
        self.code = code
        self.details = details
        self.said = said

    @property
    def for_sender(self) -> str:
        """The message with the backend's words; `str(error)` is without them."""
        return f"{self}: {self.said}" if self.said else str(self)


class Refused(DeliveryError):  # noqa: N818 - an outcome, named as the contract names it
    """Not now. The sender keeps its data and comes back, at the earliest after `retry_after_s` seconds if given."""

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        details: bytes | None = None,
        said: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the wait the backend or the limiter asked for."""
        super().__init__(message, code=code, details=details, said=said)
        self.retry_after_s = retry_after_s


class Rejected(DeliveryError):  # noqa: N818 - an outcome, named as the contract names it
    """Never. Sending the same again cannot help.

    `divisible` says that only part of the data may be at fault (malformed item, request too large): the delivery
    stage then splits the batch until the culprit stands alone.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        details: bytes | None = None,
        said: str = "",
        divisible: bool = False,
    ) -> None:
        """Keep whether a part of the batch may still be deliverable."""
        super().__init__(message, code=code, details=details, said=said)
        self.divisible = divisible


class Unauthenticated(Rejected):
    """The sender did not prove who it is (gRPC 16, HTTP 401)."""

    def __init__(self, message: str) -> None:
        """Set the status that receivers answer."""
        super().__init__(message, code=Code.UNAUTHENTICATED)
