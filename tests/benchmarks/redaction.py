"""CPU time of redaction beside its goals: `python -m tests.benchmarks.redaction [--quick] [--collector]`."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.processor import Redaction
from processors.redaction.stages import build_finder
from processors.redaction.texts.layers import Finder
from processors.redaction.texts.text import TextRedactor
from tests.benchmarks.cases import FORWARD, configuration
from tests.benchmarks.end_to_end import COLLECTORS, cpu_s
from tests.benchmarks.load import send
from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape, requests
from tests.benchmarks.sink import Sink
from tests.servers.processes import free_ports

SPANS = 100
WARM_UP = 6
PARAGRAPH_CHARS = 600
SPAN_CHARS = 3600
LARGE_CHARS = 36_000
SMALL_ATTRIBUTES = 20
JAPANESE = "会議の議事録を要約してください。売上は前年比で増加し、担当者は来週までに資料を準備します。"

Change = Callable[[Any, random.Random], None]


def main() -> None:
    """Print one row for each goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the work")
    parser.add_argument("--collector", action="store_true", help="also run the real Collector on the same spans")
    arguments = parser.parse_args()
    count = 12 if arguments.quick else 60
    size = 1 << 20 if arguments.quick else 8 << 20
    for name, measured, goal in chain(
        _span_rows(count), _text_rows(size), _collector_rows(count) if arguments.collector else ()
    ):
        sys.stdout.write(f"{name:44} {measured:>12}   {goal}\n")
        sys.stdout.flush()


def _span_rows(count: int) -> Iterator[Sequence[str]]:
    everything = {"entities": "all"}
    collector = _collector_config()
    for name, shape, change, config, goal in (
        ("660 B, clean", TEXT_FREE, None, everything, ""),
        ("3.6 KB, clean", TEXT, None, everything, "10 us"),
        ("3.6 KB, clean, default policy", TEXT, None, {}, "10 us"),
        ("3.6 KB, Japanese as \\uXXXX, clean", TEXT, _japanese, everything, ""),
        ("3.6 KB, a hit per paragraph", TEXT, _dirty, everything, "72 us"),
        ("3.6 KB, 12 expressions of the Collector", TEXT, None, collector, "1/20 of the Collector"),
    ):
        needed = _us_per_span(_batches(shape, count, change), config)
        yield f"span: {name}", f"{needed:.1f} us", goal
    without = _us_per_span(_batches(TEXT_FREE, count), everything)
    needed = (_us_per_span(_batches(TEXT_FREE, count, _small), everything) - without) / SMALL_ATTRIBUTES
    yield "attribute of 32 bytes", f"{needed:.2f} us", "1.5 us"
    large = replace(TEXT, text_chars=LARGE_CHARS)
    needed = _us_per_span(islice(_batches(large, 0), WARM_UP // 2), everything, warm_up=1)
    yield "clean text", f"{2 * LARGE_CHARS / needed:.0f} MB/s", "300 MB/s"


def _text_rows(size: int) -> Iterator[Sequence[str]]:
    library, packages = Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))
    documents = [path for suffix in ("md", "rst") for path in sorted(packages.glob(f"**/*.{suffix}"))]
    for name, paths in (("code of the standard library", sorted(library.glob("*.py"))), ("documents", documents)):
        texts = _pieces(paths, size)
        if texts:
            yield f"{name}, in pieces of 3.6 KB", f"{_megabytes_per_second(texts):.0f} MB/s", "50 MB/s"
    text = "".join(_pieces(sorted(library.glob("*.py")), size))
    yield "the code in one text", f"{_megabytes_per_second([text]):.0f} MB/s", "50 MB/s"


def _collector_rows(count: int) -> Iterator[Sequence[str]]:
    """What the processor adds to the CPU time of the real Collector, beside what ours needs for the same spans."""
    ours = _us_per_span(_batches(TEXT, count), _collector_config())
    theirs = _collector_us(("redaction",), count) - _collector_us((), count)
    yield "the Collector, 12 expressions, 3.6 KB", f"{theirs:.1f} us", ""
    yield "its CPU time in ours", f"{theirs / ours:.0f}", "20"


def _collector_us(processors: tuple[str, ...], count: int) -> float:
    case = replace(FORWARD, processors=processors)
    bodies = requests(TEXT, spans=SPANS, count=count)
    grpc_port, http_port = free_ports(2)
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        disk = Path(folder, "queue")
        config = configuration(case, grpc_port=grpc_port, http_port=http_port, sink_port=sink.port, folder=disk)
        if processors:
            config["processors"] = {"redaction": _collector_config()}
        with COLLECTORS["otelcol"](config, Path(folder), ports=[grpc_port, http_port]) as server:
            send("grpc", grpc_port, bodies, count)
            sink.wait_for(count * SPANS)
            before = cpu_s(server.pid)
            send("grpc", grpc_port, bodies, 2 * count)
            sink.wait_for(3 * count * SPANS)
            return (cpu_s(server.pid) - before) * 1e6 / (2 * count * SPANS)


def _batches(shape: Shape, count: int, change: Change | None = None) -> Iterator[Batch]:
    rng = random.Random(7)
    for raw in requests(shape, spans=SPANS, count=count + WARM_UP):
        message = Signal.TRACES.request_class.FromString(raw)
        if change is not None:
            for span in message.resource_spans[0].scope_spans[0].spans:  # type: ignore[union-attr]
                change(span, rng)
        yield parse(Signal.TRACES, message.SerializeToString())


@cache
def _samples() -> list[str]:
    return [sample for rule in load_rules() for sample in rule.positive]


def _dirty(span: Any, rng: random.Random) -> None:
    samples = _samples()
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


def _small(span: Any, rng: random.Random) -> None:
    for index in range(SMALL_ATTRIBUTES):
        value = " ".join(rng.choices(("order", "was", "shipped", "today", "and", "paid", "later", "again"), k=8))[:32]
        span.attributes.add(key=f"app.note.{index}").value.string_value = value


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


def _us_per_span(batches: Iterator[Batch], config: dict[str, Any], warm_up: int = WARM_UP) -> float:
    """The lower quartile of the requests: what else runs on the machine only adds."""
    processor: Redaction = configured(Redaction, **config)
    spent_ns = []
    for batch in batches:
        for record in batch.records():
            record.attributes  # noqa: B018 - views are paid for by the first processor of a chain
        began = time.process_time_ns()
        processor.process(batch)
        spent_ns.append(time.process_time_ns() - began)
    return statistics.quantiles(spent_ns[warm_up:], n=4)[0] / 1e3 / SPANS


def _pieces(paths: Sequence[Path], most: int) -> list[str]:
    pieces: list[str] = []
    size = 0
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        pieces += [text[start : start + SPAN_CHARS] for start in range(0, len(text), SPAN_CHARS)]
        size += len(text)
        if size > most:
            break
    return pieces


def _megabytes_per_second(texts: Sequence[str]) -> float:
    """All texts as a pipeline works on them: one scan over a lot of them, then those with candidates one by one."""
    types = frozenset(load_types())
    finder: Finder = build_finder(Redaction.Config(entities="all"), types)
    redactor, treatment = TextRedactor(finder), Treatment(types)
    redactor.redact("a first text mail@example.com", treatment)
    began = time.process_time_ns()
    for start in range(0, len(texts), SPANS):
        some = texts[start : start + SPANS]
        for index in finder.touched(some):
            redactor.redact(some[index], treatment)
    return sum(len(text.encode()) for text in texts) * 1e3 / (time.process_time_ns() - began)


if __name__ == "__main__":
    main()
