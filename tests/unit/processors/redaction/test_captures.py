"""Recordings of real instrumentations: nothing that was planted is left, and nothing else is damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.signals.otlp_json import decode
from pipeline.testing import configured
from processors.redaction.processor import Redaction

CAPTURES = Path(__file__).parents[3] / "data" / "captures"
DIALECTS = sorted(folder.name for folder in CAPTURES.iterdir() if folder.is_dir())

# Names of persons are left to a later tier of detection.
NOT_COVERED = {"person_name"}

EVERYTHING: Redaction = configured(Redaction, entities="all")
DEFAULT_POLICY: Redaction = configured(Redaction)
NOT_BY_DEFAULT = {"ip_address", "jp_address"}


def recordings(dialect: str) -> Iterator[tuple[Signal, bytes, dict[str, Any]]]:
    for path in sorted((CAPTURES / dialect).glob("*.*.*")):
        scenario, name, *form = path.name.split(".")
        if name not in list(Signal):
            continue
        signal = Signal(name)
        truth = json.loads((path.parent / f"{scenario}.truth.json").read_text(encoding="utf-8"))
        if form == ["binpb"]:
            yield signal, path.read_bytes(), truth
            continue
        for line in path.read_bytes().splitlines():
            yield signal, decode(signal, line).SerializeToString(), truth


def forms(value: str) -> set[bytes]:
    """A value as it is written in text, in JSON, and in JSON inside JSON, with and without escapes of its letters."""
    found = {value}
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return {form.encode() for form in found}


def redacted(processor: Redaction, signal: Signal, raw: bytes) -> Batch:
    batch = parse(signal, raw)
    assert processor.process(batch) is batch
    return batch


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts_in(item)


def texts_of(batch: Batch) -> list[str]:
    texts: list[str] = []
    for record in batch.records():
        texts += texts_in(dict(record.attributes))
        if hasattr(record, "body"):
            texts += texts_in(record.body)
        for event in getattr(record, "events", ()):
            texts += texts_in(dict(event.attributes))
    return texts


def is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("processor", "spared"),
    [(EVERYTHING, NOT_COVERED), (DEFAULT_POLICY, NOT_COVERED | NOT_BY_DEFAULT)],
    ids=["all", "default"],
)
def test_nothing_planted_is_left(dialect: str, processor: Redaction, spared: set[str]) -> None:
    left = []
    for signal, raw, truth in recordings(dialect):
        planted = [value for value in truth.get("planted", ()) if value["type"] not in spared]
        if planted:
            output = redacted(processor, signal, raw).serialize()
            left += [value["type"] for value in planted if any(form in output for form in forms(value["value"]))]
    assert left == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_structure_ids_and_numbers_stay(dialect: str) -> None:
    for signal, raw, _ in recordings(dialect):
        before, after = parse(signal, raw), redacted(EVERYTHING, signal, raw)
        assert after.count == before.count
        for old, new in zip(before.records(), after.records(), strict=True):
            if signal is not Signal.METRICS:
                assert (new.pb.trace_id, new.pb.span_id) == (old.pb.trace_id, old.pb.span_id)
            for key, value in old.attributes.items():
                if not isinstance(value, str | bytes | list | dict) or key.endswith(("response.id", "tool_call.id")):
                    assert repr(new.attributes[key]) == repr(value), "as text, since NaN is not equal to itself"
                assert type(new.attributes[key]) is type(value)
        pairs = zip(
            texts_of(before), [text for text in texts_of(after) if text != "penstock.redaction.count"], strict=True
        )
        assert [new for old, new in pairs if is_json(old) and not is_json(new)] == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_recordings_with_planted_values_change(dialect: str) -> None:
    for signal, raw, truth in recordings(dialect):
        if not truth.get("planted"):
            batch = redacted(EVERYTHING, signal, raw)
            assert [repr(record.attributes) for record in batch.records()] == [
                repr(record.attributes) for record in parse(signal, raw).records()
            ]
