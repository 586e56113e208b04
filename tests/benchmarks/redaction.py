"""CPU time of redaction: `python -m tests.benchmarks.redaction`. Clean and dirty spans, and raw text in MB/s."""

from __future__ import annotations

import json
import random
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured
from processors.redaction.loader import load_rules
from processors.redaction.processor import Redaction
from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape, requests

SPANS = 100
REQUESTS = 60
WARM_UP = 10
PARAGRAPH_CHARS = 600
SOURCE_BYTES = 4 << 20
JAPANESE = "会議の議事録を要約してください。売上は前年比で増加し、担当者は来週までに資料を準備します。"


def main() -> None:
    """Print one row for each kind of text."""
    everything = {"entities": "all"}
    print(f"{'per span':44} {'us':>8}")
    for name, batches, config in (
        ("660 B, clean", _batches(TEXT_FREE), everything),
        ("3.6 KB, clean", _batches(TEXT), everything),
        ("3.6 KB, clean, default policy", _batches(TEXT), {}),
        ("3.6 KB, Japanese as \\uXXXX, clean", _batches(TEXT, _japanese), everything),
        ("3.6 KB, a hit per paragraph", _batches(TEXT, _dirty), everything),
        ("3.6 KB, clean, 12 expressions of the Collector", _batches(TEXT), _collector_config()),
    ):
        print(f"{name:44} {_us_per_span(batches, config):8.1f}")
    print(f"\n{'per text':44} {'MB/s':>8}")
    source = list(_source_files())
    for name, texts in (
        ("source code of the standard library", source),
        ("the same in pieces of 3.6 KB", [t[i : i + 3600] for t in source for i in range(0, len(t), 3600)]),
    ):
        print(f"{name:44} {_megabytes_per_second(texts):8.1f}")


def _batches(shape: Shape, change: Callable[[Any, random.Random], None] | None = None) -> Iterator[Batch]:
    rng = random.Random(7)
    for raw in requests(shape, spans=SPANS, count=REQUESTS + WARM_UP):
        message = Signal.TRACES.request_class.FromString(raw)
        if change is not None:
            for span in message.resource_spans[0].scope_spans[0].spans:  # type: ignore[union-attr]
                change(span, rng)
        yield parse(Signal.TRACES, message.SerializeToString())


def _dirty(span: Any, rng: random.Random) -> None:
    samples = [sample for rule in load_rules() for sample in rule.positive]
    for pair in span.attributes:
        if pair.key.endswith(".messages"):
            messages = json.loads(pair.value.string_value)
            text = messages[0]["parts"][0]["content"]
            pieces = [text[i : i + PARAGRAPH_CHARS] for i in range(0, len(text), PARAGRAPH_CHARS)]
            messages[0]["parts"][0]["content"] = "\n".join(f"{piece} {rng.choice(samples)}" for piece in pieces)
            pair.value.string_value = json.dumps(messages, ensure_ascii=False)


def _japanese(span: Any, rng: random.Random) -> None:
    for pair in span.attributes:
        if pair.key.endswith(".messages"):
            text = "".join(rng.choices(JAPANESE, k=280))
            pair.value.string_value = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])


def _collector_config() -> dict[str, Any]:
    return {
        "allow_all_keys": True,
        "blocked_values": [
            r"4[0-9]{12}(?:[0-9]{3})?",
            r"5[1-5][0-9]{14}",
            r"3[47][0-9]{13}",
            r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
            r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
            r"AKIA[0-9A-Z]{16}",
            r"gh[pousr]_[0-9A-Za-z]{36}",
            r"xox[abp]-[0-9A-Za-z-]{10,}",
            r"sk-[0-9A-Za-z_-]{20,}",
            r"eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+",
            r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b",
            r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}",
        ],
    }


def _us_per_span(batches: Iterator[Batch], config: dict[str, Any]) -> float:
    """The lower quartile of the requests: what else runs on the machine only adds."""
    processor: Redaction = configured(Redaction, **config)
    spent_ns = []
    for batch in batches:
        for record in batch.records():
            record.attributes  # noqa: B018 - views are paid for by the first processor of a chain
        began = time.process_time_ns()
        processor.process(batch)
        spent_ns.append(time.process_time_ns() - began)
    return statistics.quantiles(spent_ns[WARM_UP:], n=4)[0] / 1e3 / SPANS


def _source_files() -> Iterator[str]:
    size = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        size += len(text)
        yield text
        if size > SOURCE_BYTES:
            return


def _megabytes_per_second(texts: Sequence[str]) -> float:
    processor: Redaction = configured(Redaction, entities="all")
    redactor = processor._stages[0]._policy.texts  # type: ignore[attr-defined]
    redactor.redact("warm-up")
    began = time.process_time_ns()
    for text in texts:
        redactor.redact(text)
    return sum(len(text.encode()) for text in texts) * 1e3 / (time.process_time_ns() - began)


if __name__ == "__main__":
    main()
