"""What holds for any record under any actions: nothing found stays, JSON stays JSON, a second pass changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import Batch, LogRecord, Signal, Span
from pipeline.signals.intake import parse
from pipeline.testing import configured, logs, traces
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.processor import Redaction
from processors.redaction.stages import build_finder
from processors.redaction.texts.layers import Finder

ALL: Final = Treatment(frozenset(load_types()))
SAMPLES: Final = [sample for rule in load_rules() for sample in (*rule.positive, *rule.negative)]
KEYS: Final = ("note", "input.value", "gen_ai.input.messages", "user.id")
ENCODINGS: Final[list[Callable[[str], str]]] = [
    str,
    json.dumps,
    repr,
    quote,
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: json.dumps([{"role": "user", "content": text}]),
]
CONFIGURATIONS: Final[dict[str, dict[str, Any]]] = {
    "mask": {},
    "hash": {"action": "hash", "hmac_key": "k" * 32},
    "drop": {"action": "drop"},
    "each": {"actions": {"secret": "drop", "contact": "hash"}, "hmac_key": "k" * 32},
    "roles": {"policies": [{"match": {"roles": ["user"]}, "action": "hash"}], "hmac_key": "k" * 32},
}

texts = st.builds(
    lambda parts, encode: encode(" ".join(parts).encode(errors="replace").decode()),
    st.lists(st.one_of(st.sampled_from(SAMPLES), st.text(max_size=20)), max_size=3),
    st.sampled_from(ENCODINGS),
)


@cache
def redaction(name: str) -> Redaction:
    processor: Redaction = configured(Redaction, entities="all", **CONFIGURATIONS[name])
    return processor


@cache
def finder() -> Finder:
    return build_finder(redaction("mask").config, ALL.types)


def found(text: str) -> set[tuple[str, str]]:
    return {(finding.rule.entity.name, finding.shown_in(text)) for finding in finder().find(text, ALL)}


def is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def texts_of(batch: Batch) -> list[str]:
    (record,) = batch.records()
    assert isinstance(record, Span | LogRecord)
    own = record.body if isinstance(record, LogRecord) else record.name
    return [own, *record.attributes.values()] if isinstance(own, str) else []  # type: ignore[list-item]  # all texts


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=50)
@given(values=st.dictionaries(st.sampled_from(KEYS), texts, max_size=3), own=texts, signal=st.sampled_from(["t", "l"]))
def test_any_record(name: str, values: dict[str, str], own: str, signal: str) -> None:
    if signal == "t":
        batch, kind = traces(values, name=own), Signal.TRACES
    else:
        batch, kind = logs(own), Signal.LOGS
        batch.records()[0].attributes.update(values)
    before = {pair for text in (own, *values.values()) for pair in found(text)}
    assert redaction(name).process(batch) is batch
    (record,) = batch.records()
    count = record.attributes.pop("penstock.redaction.count", 0)
    assert bool(count) >= bool(before)
    after = texts_of(batch)
    assert before.isdisjoint(pair for text in after for pair in found(text))
    assert "<REDACTED>" not in "".join(after)
    for key, text in record.attributes.items():
        assert is_json(str(text)) or not is_json(values.get(key, "x"))
    once = batch.serialize()
    again = parse(kind, once)
    redaction(name).process(again)
    assert again.serialize() == once
