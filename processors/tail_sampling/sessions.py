"""One fate for all traces of a conversation: their randomness comes from its id in place of theirs.

For whoever decides: add `Sessions.watch` to the watches of the rules; when a trace is decided, and no span of it came
with `th` or `rv` (those bind the trace to a randomness that is not ours to change), put
`sessions.randomness(fact)` in place of `trace.randomness` where it is not None, before rules are asked, and have the
marks write it as `rv` beside `th`. Traces without a session keep the randomness of their id.

Estimates stay unbiased: R of a session is uniform, and no threshold is chosen by it. But all traces of a session are
kept or dropped together, so that an interval of confidence is one of sessions, not of traces.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from processors.sampling.thresholds import BITS
from processors.tail_sampling.policy import SpanFacts

_DIGEST_BYTES: Final = BITS // 8

Session = tuple[int, str]
"""Place of the attribute among those configured, and the id."""


def randomness_of_session(session_id: str) -> int:
    """R of a session: BLAKE2b (RFC 7693) with a digest of seven bytes over the id in UTF-8, big-endian.

    The same in every process, version and language, so that all who sample by sessions agree.
    """
    return int.from_bytes(blake2b(session_id.encode(), digest_size=_DIGEST_BYTES).digest(), "big")


@dataclass(frozen=True, slots=True)
class SessionWatch:
    """Which session a trace belongs to.

    The first attribute configured that is anywhere in the trace counts; where spans differ, the smallest id, so that
    the order of arrival makes no difference.
    """

    names: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The attributes that may have the id."""
        return frozenset(self.names)

    def begin(self) -> Session | None:
        """No session yet."""
        return None

    def add(self, so_far: Session | None, span: SpanFacts) -> Session | None:
        """The session with one more span."""
        for place, name in enumerate(self.names):
            found = span.attributes.get(name)
            if found is None:
                found = span.resource.get(name)
            if isinstance(found, str | int) and found != "":
                session = (place, str(found))
                return session if so_far is None else min(so_far, session)
        return so_far


class Sessions:
    """What the configuration calls a session."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        """Look for the id in these attributes of spans and resources, in this order."""
        self.watch = SessionWatch(keys)

    def randomness(self, fact: Session | None) -> int | None:
        """R of the session that the watch found; None where the trace belongs to none."""
        return None if fact is None else randomness_of_session(fact[1])
