"""Recordings of real instrumentations: every copy of a text that is dropped goes, and the rest stays."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipeline.component import Processor
from pipeline.signals import Batch, LogRecord, Record, Signal, Span
from pipeline.signals.intake import parse
from pipeline.signals.otlp_json import decode
from pipeline.testing import configured, make_host
from processors.adversarial.config import AdversarialConfig, FollowingConfig
from processors.adversarial.processor import Adversarial
from processors.adversarial.verdict import Label, Origin, Part, Verdict
from processors.gen_ai_normalizer.processor import GenAiNormalizer
from processors.redaction.detection.encodings import has_escapes, unescaped

CAPTURES = Path(__file__).parents[3] / "data" / "captures"
DIALECTS = sorted(folder.name for folder in CAPTURES.iterdir() if folder.is_dir())
NORMALIZER: Processor = configured(GenAiNormalizer)
WINDOW = 20
LAYERS = 4


class OriginJudge:
    """Calls all texts of one origin an attack, and keeps them."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.flagged: set[str] = set()

    def judge(self, parts: Sequence[Part]) -> list[Verdict]:
        flagged = [part.text for part in parts if part.origin is self.origin]
        self.flagged.update(flagged)
        attack, fine = Verdict(0.99, Label.ATTACK, "exfiltration", ("r",), "plain", 0, 9), Verdict(0.0, Label.PASS)
        return [attack if part.origin is self.origin else fine for part in parts]


def log(record: Record) -> LogRecord:
    assert isinstance(record, LogRecord)
    return record


@cache
def bodies(dialect: str) -> list[tuple[Signal, bytes]]:
    return list(read(CAPTURES / dialect))


def read(folder: Path) -> Iterator[tuple[Signal, bytes]]:
    for path in sorted(folder.glob("*.*.*")):
        name, *form = path.name.split(".")[1:]
        if name not in ("traces", "logs"):
            continue
        if form == ["binpb"]:
            yield Signal(name), path.read_bytes()
        else:
            for line in path.read_bytes().splitlines():
                yield Signal(name), decode(Signal(name), line).SerializeToString()


def normalized(signal: Signal, body: bytes) -> Batch:
    batch = parse(signal, body)
    NORMALIZER.process(batch)
    return batch


def leaves(value: Any) -> Iterator[str]:
    """The texts in a value: of JSON those in it, of what has escapes also the text without them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, str):
        if value.lstrip()[:1] in ("{", "[", '"'):
            try:
                yield from leaves(json.loads(value))
            except ValueError:
                pass
            else:
                return
        yield value
        for _ in range(LAYERS):
            if not has_escapes(value):
                return
            value = unescaped(value)
            yield value


def texts(record: Record) -> Iterator[str]:
    yield from leaves(dict(record.attributes))
    if isinstance(record, Span):
        yield from (record.name, record.status_message)
        for event in record.events:
            yield event.name
            yield from leaves(dict(event.attributes))
        for link in record.links:
            yield from leaves(dict(link.attributes))
    elif isinstance(record, LogRecord):
        yield from leaves(record.body)


def windows(text: str) -> set[str]:
    """What no copy may have in it: all of it, or any of its pieces; margins and lines are no text."""
    found = {text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1)}
    return {window for window in found if sum(map(str.isalnum, window)) >= 4}


def is_json(text: Any) -> bool:
    try:
        json.loads(text)
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("origin", [Origin.USER, Origin.TOOL, Origin.TOOL_CALL, Origin.ASSISTANT, Origin.OTHER])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_copy_goes(dialect: str, origin: Origin) -> None:
    for signal, body in bodies(dialect):
        judge = OriginJudge(origin)
        config = AdversarialConfig(action="drop_content", following=FollowingConfig(max_traces=0))
        processor = Adversarial(config, make_host("adversarial"), (judge, ""))
        before, batch = normalized(signal, body), normalized(signal, body)
        processor.process(batch)
        gone: dict[Any, set[str]] = defaultdict(set)
        reader = processor._reader
        for index, record in enumerate(before.records()):
            parts = reader.of_span(record) if isinstance(record, Span) else reader.of_log(log(record))
            for text, lane, _ in parts:
                if lane.origin is origin:
                    gone[record.pb.trace_id or index] |= windows(text)
        for index, (record, old) in enumerate(zip(batch.records(), before.records(), strict=True)):
            if forbidden := gone.get(record.pb.trace_id or index):
                assert not any(forbidden & windows(text) for text in texts(record))
            for key, value in old.attributes.items():
                new = record.attributes[key]
                assert type(new) is type(value)
                assert new == "<ADVERSARIAL>" or is_json(new) >= is_json(value)
        batch.settle()
        assert parse(signal, batch.serialize()).count == before.count


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_alarms_nothing_but_marks_is_added(dialect: str) -> None:
    for signal, body in bodies(dialect):
        processor = Adversarial(AdversarialConfig(), make_host("adversarial"), (OriginJudge(Origin.DOCUMENT), ""))
        before, batch = normalized(signal, body), normalized(signal, body)
        processor.process(batch)
        for record, old in zip(batch.records(), before.records(), strict=True):
            if old.attributes.get("gen_ai.retrieval.documents") is None:
                own = ("penstock.adversarial.score", "penstock.adversarial.label")
                kept = {key: value for key, value in record.attributes.items() if key not in own}
                assert repr(kept) == repr(dict(old.attributes))


def test_calls_of_all_dialects_are_scored() -> None:
    unscored = set()
    for dialect in DIALECTS:
        for signal, body in bodies(dialect):
            processor = Adversarial(AdversarialConfig(), make_host("adversarial"), (OriginJudge(Origin.OTHER), ""))
            batch = normalized(signal, body)
            processor.process(batch)
            for record in batch.records():
                says = {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.result"}
                if says & record.attributes.keys() and "penstock.adversarial.label" not in record.attributes:
                    unscored.add((dialect, str(record.attributes.get("gen_ai.output.messages"))))
    # An answer without words, and a call without arguments.
    assert {dialect for dialect, _ in unscored} <= {"mastra", "traceloop-mistralai"}
