"""Redaction from outside: labelled texts and recordings through a running collector. `make eval-redaction`.

Each chain of processors gets a port of its own on one collector; what is sent there comes back in order, since nothing
is queued. What a redactor replaced in a text is read from what is left of it.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.signals import Signal
from pipeline.signals.values import set_any_value
from processors.demo.backend import grpc_backend
from processors.demo.collector import running
from processors.demo.recordings import Export
from processors.demo.replay import Sender
from processors.redaction.knowledge.entities import load_types
from tests.evaluation.chain import Arrivals, Messages, count_items
from tests.evaluation.records import records
from tests.evaluation.redaction_scoring import Document, Predicted
from tests.servers.processes import free_ports

CASE_ID: Final = "case.number"
TEXT: Final = "input.value"
POLICIES: Final[Mapping[str, Mapping[str, Any]]] = {"all": {"entities": "all"}, "default": {}}
_BATCH: Final = 100
_PLACEHOLDER: Final = re.compile(rf"(?:{'|'.join(f'<{name}>' for name in (*load_types(), 'REDACTED'))})")


@dataclass(frozen=True, slots=True)
class Chain:
    """The way through one chain of processors of a running collector."""

    sender: Sender
    arrivals: Arrivals

    def run(self, exports: Sequence[Export]) -> Messages:
        """What comes out of what is sent."""
        expected = Counter[str]()
        for export in exports:
            expected[export.signal] += count_items(Signal(export.signal), export.message())
        self.sender.send(exports)
        return self.arrivals.take(expected)


@contextlib.contextmanager
def collector(chains: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[dict[str, Chain]]:
    """Run a collector with a pipeline of each signal for every chain: name -> processors with their settings."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arrivals = {name: Arrivals() for name in chains}
        backends = {name: stack.enter_context(grpc_backend(arrivals[name].add)) for name in chains}
        ports = dict(zip(chains, free_ports(len(chains)), strict=True))
        file = folder / "redaction.yaml"
        file.write_text(yaml.safe_dump(_configuration(chains, ports, backends)), encoding="utf-8")
        stack.enter_context(running([file], folder))
        yield {name: Chain(stack.enter_context(Sender(ports[name])), arrivals[name]) for name in chains}


def _configuration(
    chains: Mapping[str, Mapping[str, Mapping[str, Any]]], ports: Mapping[str, int], backends: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "receivers": {
            f"otlp/{name}": {"protocols": {"http": {"endpoint": f"localhost:{port}"}}} for name, port in ports.items()
        },
        "processors": {
            f"{type_}/{name}": dict(settings) for name, chain in chains.items() for type_, settings in chain.items()
        },
        "exporters": {
            f"otlp_grpc/{name}": {
                "endpoint": f"127.0.0.1:{port}",
                "tls": {"insecure": True},
                "sending_queue": {"enabled": False},
            }
            for name, port in backends.items()
        },
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                f"{signal}/{name}": {
                    "receivers": [f"otlp/{name}"],
                    "processors": [f"{type_}/{name}" for type_ in chain if signal is not Signal.METRICS or _any(type_)],
                    "exporters": [f"otlp_grpc/{name}"],
                }
                for name, chain in chains.items()
                for signal in Signal
            },
        },
    }


def _any(type_: str) -> bool:
    """Whether a processor takes metrics."""
    return not type_.startswith("gen_ai_")


def redacted_texts(chain: Chain, documents: Sequence[Document]) -> list[str]:
    """Each text as it leaves the chain; it goes in as an attribute of a span."""
    texts = [""] * len(documents)
    for start in range(0, len(documents), _BATCH):
        for signal, message in chain.run([_export(start, documents[start : start + _BATCH])]):
            for record in records(signal, message):
                texts[record.attributes[CASE_ID]] = record.attributes[TEXT]
    return texts


def _export(first: int, documents: Iterable[Document]) -> Export:
    request = Signal.TRACES.request_class()
    scope = request.resource_spans.add().scope_spans.add()  # type: ignore[union-attr]  # a request of traces
    for number, document in enumerate(documents, first):
        span = scope.spans.add(trace_id=number.to_bytes(16, "big", signed=False)[::-1], span_id=b"\1" * 8, name="text")
        set_any_value(span.attributes.add(key=CASE_ID).value, number)
        set_any_value(span.attributes.add(key=TEXT).value, document["text"])
    return Export(str(Signal.TRACES), "application/x-protobuf", request.SerializeToString(), received_unix_ns=0)


def replaced(before: str, after: str) -> list[Predicted]:
    """Where a text was replaced, and by which type, read from what is left of it."""
    if before == after:
        return []
    return _between_placeholders(before, after) or _differing(before, after)


def _between_placeholders(before: str, after: str) -> list[Predicted]:
    """The stretches of the text that placeholders stand for, found by what stands between them."""
    found = []
    position = written = 0
    matches = list(_PLACEHOLDER.finditer(after))
    for match, behind in zip_longest(matches, matches[1:]):
        kept = after[written : match.start()]
        following = after[match.end() : behind.start() if behind else len(after)]
        start = position + len(kept)
        end = before.find(following, start + 1) if behind and following else len(before) - len(following)
        if end <= start or not before.startswith(kept, position):
            return []
        found.append(Predicted(start, end, match.group()[1:-1]))
        position, written = end, match.end()
    return found if before[position:] == after[written:] else []


def _differing(before: str, after: str) -> list[Predicted]:
    """The same, character by character: for texts that were encoded anew, or that repeat themselves."""
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    names = [match.group()[1:-1] for match in _PLACEHOLDER.finditer(after)] or ["REDACTED"]
    return [
        Predicted(start, end, names[min(index, len(names) - 1)])
        for index, (start, end) in enumerate((a, b) for kind, a, b, _, _ in steps if kind != "equal" and b > a)
    ]
