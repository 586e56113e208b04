"""Recordings with planted values through redaction: nothing planted leaves, and nothing else is damaged.

Every recording goes through each policy, with the normaliser in front of it and without.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from processors.demo.recordings import Recording
from tests.evaluation.chain import Messages
from tests.evaluation.planted import forms
from tests.evaluation.records import Record, records
from tests.evaluation.redaction_pipeline import POLICIES, collector

NOT_BY_DEFAULT: Final = frozenset({"person_name", "jp_address", "ip_address"})
"""Planted types that the default policy leaves alone."""
UNDERSTOOD: Final = "normaliser"
_OWN: Final = frozenset({"penstock.redaction.count"})
_KEPT: Final = re.compile(r"(?:^|\.)(?:response|tool_call|tool\.call|response_)[._]?id$|usage\.")


@dataclass(slots=True)
class Verdict:
    """What is wrong with what one way made of the recordings."""

    planted: int = 0
    left: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing planted is left and nothing was damaged."""
        return not self.left and not self.damaged


def evaluate(recordings: Sequence[Recording]) -> dict[str, Verdict]:
    """A verdict for each way: `all`, `default`, and the two behind the normaliser."""
    alone = {policy: {"redaction": settings} for policy, settings in POLICIES.items()}
    behind = {f"{UNDERSTOOD}, {policy}": {"gen_ai_normalizer": {}, **chain} for policy, chain in alone.items()}
    ways = alone | behind
    verdicts = {way: Verdict() for way in ways}
    names = {way: str(number) for number, way in enumerate([UNDERSTOOD, *ways])}
    chains: dict[str, dict[str, Any]] = {names[UNDERSTOOD]: {"gen_ai_normalizer": {}}}
    chains |= {names[way]: chain for way, chain in ways.items()}
    with collector(chains) as running:
        for recording in recordings:
            exports = recording.exports()
            raw = [(export.signal, export.message()) for export in exports]
            understood = running[names[UNDERSTOOD]].run(exports)
            for way, verdict in verdicts.items():
                before = understood if way.startswith(UNDERSTOOD) else raw
                _judge(verdict, recording, before, running[names[way]].run(exports), default=way.endswith("default"))
    return verdicts


def _judge(verdict: Verdict, recording: Recording, before: Messages, after: Messages, *, default: bool) -> None:
    everything = b"\n".join(message.SerializeToString() for _, message in after)
    where = f"{recording.dialect}/{recording.scenario}"
    for kind, value in sorted({(entry["type"], entry["value"]) for entry in recording.truth["planted"]}):
        if default and kind in NOT_BY_DEFAULT:
            continue
        verdict.planted += 1
        if any(form in everything for form in forms(value)):
            verdict.left[kind] += 1
            verdict.notes.append(f"{where}: {kind} is left")
    old, new = _records(before), _records(after)
    if len(old) != len(new):
        verdict.damaged.append(f"{where}: {len(old)} records, now {len(new)}")
        return
    for left, right in zip(old, new, strict=True):
        verdict.damaged += [f"{where}: {fault}" for fault in _faults(left, right)]


def _records(messages: Messages) -> list[Record]:
    return [record for signal, message in messages for record in records(signal, message)]


def _faults(old: Record, new: Record) -> Iterator[str]:
    if (old.trace_id, old.span_id, old.parent_id) != (new.trace_id, new.span_id, new.parent_id):
        yield "ids of a record changed"
    if len(old.events) != len(new.events):
        yield "events were lost"
    yield from _faults_of_mapping(old.attributes, new.attributes)
    for (_, before), (_, after) in zip(old.events, new.events, strict=False):
        yield from _faults_of_mapping(before, after)
    yield from _faults_of_value("body", old.body, new.body)


def _faults_of_mapping(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if len(old) != len(new.keys() - (_OWN - old.keys())):
        yield "the number of attributes changed"
    for key, before in old.items():
        after = new.get(key)
        if key not in new:
            yield f"attribute {key} is gone"
        elif isinstance(before, str) and before != after and _KEPT.search(key):
            yield f"attribute {key} changed"
        else:
            yield from _faults_of_value(key, before, after)


def _faults_of_value(key: str, before: Any, after: Any) -> Iterator[str]:
    if type(before) is not type(after):
        yield f"{key} was {type(before).__name__}, is {type(after).__name__}"
    elif isinstance(before, str):
        if before != after and _is_json(before) and not _is_json(after):
            yield f"{key} is no JSON any more"
    elif not isinstance(before, dict | list | bytes) and before != after and before == before:  # noqa: PLR0124 - NaN
        yield f"{key} changed"


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list | str)
    except ValueError:
        return False


def summary(verdicts: dict[str, Verdict], most: int) -> Iterable[str]:
    """The verdicts as lines."""
    for way, verdict in verdicts.items():
        left = ", ".join(f"{kind} {count}" for kind, count in verdict.left.most_common()) or "none"
        yield f"{way}: {verdict.planted} planted values, left: {left}; damaged: {len(verdict.damaged)}"
        yield from (f"  {note}" for note in [*verdict.notes[:most], *verdict.damaged[:most]])
