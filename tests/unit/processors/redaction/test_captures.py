"""Recordings of real instrumentations: nothing that was planted is left, and nothing else is damaged.

Each goes through the processor as it was received, and with the normaliser in front.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.component import Processor
from pipeline.signals import Batch, Record, Signal
from pipeline.signals.intake import parse
from pipeline.signals.otlp_json import decode
from pipeline.testing import configured
from processors.gen_ai_normalizer.processor import GenAiNormalizer
from processors.redaction.processor import Redaction
from processors.redaction.records.entity_stage import COUNT_ATTRIBUTE
from tests.evaluation.planted import forms

CAPTURES = Path(__file__).parents[3] / "data" / "captures"
DIALECTS = sorted(folder.name for folder in CAPTURES.iterdir() if folder.is_dir())

NOT_BY_DEFAULT = {"person_name", "ip_address", "jp_address"}

# A shop is asked there what it costs to send a parcel to a postal code: personal data that nobody planted.
ASKED_FOR = ["all", "-JP_POSTAL_CODE"]

NORMALIZER: Processor = configured(GenAiNormalizer)
EVERYTHING: Redaction = configured(Redaction, entities="all")
DEFAULT_POLICY: Redaction = configured(Redaction)
NOTHING_PLANTED: Redaction = configured(Redaction, entities=ASKED_FOR)

IDS = re.compile(r"\b(?:chatcmpl|resp|msg|call|toolu|req|rs|run|batch)[-_][0-9A-Za-z_-]{8,}")


class Recording(NamedTuple):
    """One request as it was received, and what was planted in its scenario."""

    signal: Signal
    body: bytes
    truth: dict[str, Any]

    def batch(self, normalized: bool) -> Batch:
        batch = parse(self.signal, self.body)
        if normalized:
            assert NORMALIZER.process(batch) is batch
        return batch


@cache
def recordings(dialect: str) -> list[Recording]:
    return list(read(CAPTURES / dialect))


def read(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.glob("*.*.*")):
        scenario, name, *form = path.name.split(".")
        if name not in list(Signal):
            continue
        signal = Signal(name)
        truth = json.loads((path.parent / f"{scenario}.truth.json").read_text(encoding="utf-8"))
        if form == ["binpb"]:
            yield Recording(signal, path.read_bytes(), truth)
            continue
        for line in path.read_bytes().splitlines():
            yield Recording(signal, decode(signal, line).SerializeToString(), truth)


def redacted(processor: Redaction, batch: Batch) -> Batch:
    assert processor.process(batch) is batch
    return batch


def values_in(value: Any) -> Iterator[Any]:
    """Every scalar in a value, and the keys of maps."""
    if isinstance(value, list):
        for item in value:
            yield from values_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from values_in(item)
    else:
        yield value


def contents(batch: Batch) -> Iterator[Any]:
    """Attributes and bodies, in one order; the count that redaction writes is left out."""
    for resource in batch.resources():
        yield dict(resource.attributes)
        yield from (dict(scope.attributes) for scope in resource.scopes)
    for record in batch.records():
        yield {key: value for key, value in record.attributes.items() if key != COUNT_ATTRIBUTE}
        if hasattr(record, "body"):
            yield record.body
        yield from (dict(event.attributes) for event in getattr(record, "events", ()))
        yield from (dict(link.attributes) for link in getattr(record, "links", ()))


def is_json(text: Any) -> bool:
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def names_of(record: Record) -> list[Any]:
    """What of a record is neither attribute nor body, and holds nothing personal in the recordings."""
    fields = ("trace_id", "span_id", "parent_span_id", "trace_state", "name", "kind", "event_name", "time_unix_nano")
    return [getattr(record.pb, field, None) for field in fields] + [
        (event.pb.name, event.pb.time_unix_nano) for event in getattr(record, "events", ())
    ]


@pytest.mark.parametrize("normalized", [False, True], ids=["received", "normalized"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("processor", "spared"), [(EVERYTHING, set()), (DEFAULT_POLICY, NOT_BY_DEFAULT)], ids=["all", "default"]
)
def test_nothing_planted_is_left(dialect: str, processor: Redaction, spared: set[str], normalized: bool) -> None:
    left = []
    for recording in recordings(dialect):
        planted = [value for value in recording.truth.get("planted", ()) if value["type"] not in spared]
        if planted:
            output = redacted(processor, recording.batch(normalized)).serialize()
            left += [value["type"] for value in planted if any(form in output for form in forms(value["value"]))]
    assert left == []


@pytest.mark.parametrize("normalized", [False, True], ids=["received", "normalized"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_structure_ids_and_numbers_stay(dialect: str, normalized: bool) -> None:
    for recording in recordings(dialect):
        before, after = recording.batch(normalized), redacted(EVERYTHING, recording.batch(normalized))
        assert [names_of(record) for record in after.records()] == [names_of(record) for record in before.records()]
        for old, new in zip(contents(before), contents(after), strict=True):
            if isinstance(old, dict) and isinstance(new, dict):
                assert new.keys() == old.keys()
            for was, became in zip(values_in(old), values_in(new), strict=True):
                assert type(became) is type(was)
                if not isinstance(was, str | bytes):
                    assert repr(became) == repr(was), "as text, since NaN is not equal to itself"
                elif became != was:
                    assert is_json(became) == is_json(was)
                    assert isinstance(was, bytes) or IDS.findall(was) == IDS.findall(became)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_recordings_with_planted_values_change(dialect: str) -> None:
    for recording in recordings(dialect):
        if not recording.truth.get("planted"):
            before, after = recording.batch(normalized=False), recording.batch(normalized=False)
            redacted(NOTHING_PLANTED, after)
            # As text, since NaN is not equal to itself.
            assert repr(list(contents(after))) == repr(list(contents(before)))
            assert [names_of(record) for record in after.records()] == [names_of(record) for record in before.records()]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_second_pass_changes_nothing(dialect: str) -> None:
    for recording in recordings(dialect):
        once = redacted(EVERYTHING, recording.batch(normalized=False)).serialize()
        assert redacted(EVERYTHING, parse(recording.signal, once)).serialize() == once
