"""Attacks put into harmless texts, as documents and results of tools carry them."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import yaml

from training.adversarial.rows import BURIED, HERE, Row

MAX_PAYLOAD: Final = 700
MIN_HOST: Final = 300
MAX_HOST: Final = 5000

_PAYLOADS: Final = frozenset({"direct_injection", "indirect", "extraction", "exfiltration", "special_token"})
_HOSTS: Final = frozenset(
    {"document", "code", "tool_output", "assistant_text", "chat", "security_doc", "system_prompt"}
)
_TABLE: Final = yaml.safe_load((HERE / "frames.yaml").read_text("utf-8"))
_BREAK: Final = re.compile(rf"\n+|(?<=[{_TABLE['sentence_ends']}]) ?")


def bury(rows: Sequence[Row], count: int, seed: int) -> Iterator[Row]:
    """Make `count` texts, each an attack within a benign text of the same family and, mostly, the same language.

    The harmless twin of a pair is put into as many other texts, so that being out of place is no sign by itself.
    """
    dice = random.Random(seed)  # noqa: S311 - the same texts every time
    payloads = [row for row in rows if _is_payload(row)]
    hosts = _by_language(row for row in rows if row.is_natural and row.category in _HOSTS and len(row.text) >= MIN_HOST)
    everywhere = [host for some in hosts.values() for host in some]
    for number in range(count):
        payload = dice.choice(payloads)
        language = payload.language if payload.language in hosts and dice.random() < 0.85 else "en"
        host = dice.choice(hosts.get(language) or everywhere)
        text, start = _place(_cut(host.text, dice), payload.text.strip(), dice)
        end = start + len(payload.text.strip())
        kind = "indirect" if payload.is_attack else "over_defence"
        span = (start, end) if payload.is_attack else None
        yield Row(
            f"buried-{number}", text, payload.is_attack, kind, payload.language, f"{payload.source}{BURIED}", span
        )


def _is_payload(row: Row) -> bool:
    if len(row.text) > MAX_PAYLOAD:
        return False
    return row.category in _PAYLOADS if row.is_attack else row.category == "over_defence"


def _by_language(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.language].append(row)
    return found


def _cut(text: str, dice: random.Random) -> str:
    length = min(len(text), int(MIN_HOST * (MAX_HOST / MIN_HOST) ** dice.random()))
    start = dice.randrange(len(text) - length + 1)
    return text[start : start + length]


def _place(host: str, payload: str, dice: random.Random) -> tuple[str, int]:
    """The host with the payload in it, and where that begins."""
    if dice.random() < 0.15:
        host, payload = json.dumps({"result": host}, ensure_ascii=False), json.dumps(payload, ensure_ascii=False)[1:-1]
    breaks = [match.end() for match in _BREAK.finditer(host)] or [len(host)]
    at = dice.choice((0, len(host), *[dice.choice(breaks) for _ in range(4)]))
    before, after = dice.choice(_TABLE["frames"]).split("{}")
    return f"{host[:at]}{before}{payload}{after}{host[at:]}", at + len(before)


__all__ = ["bury"]
