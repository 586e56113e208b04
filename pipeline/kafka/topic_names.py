"""Which names a topic can have."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
WRONG_NAME: Final = "the name of the topic is not allowed (letters, digits, `.`, `_`, `-`; up to 249)"


def is_topic_name(name: str) -> bool:
    """Whether a broker takes the name (org.apache.kafka.common.internals.Topic)."""
    return _NAME.fullmatch(name) is not None and name not in (".", "..")
