"""Recorded telemetry of real LLM instrumentations: what was asked of the provider (the truth) and what was exported.

The folder holds one folder per dialect, and in it, per scenario, `<scenario>.<signal>.binpb` (the request bodies of one
signal, one behind the other), `<scenario>.<signal>.otlp.jsonl` (OTLP/JSON bodies, one a line) and
`<scenario>.truth.json`, which says where each body begins and what really went over the wire to the provider.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.signals import Signal, otlp_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.signals import Request

CHECKOUT_FOLDER = Path(__file__).parents[2] / "tests" / "data" / "captures"


@dataclass(frozen=True, slots=True)
class Export:
    """One OTLP export request as it came off the wire."""

    signal: str
    """`traces`, `logs` or `metrics`."""
    content_type: str
    """`application/x-protobuf` (also for what came over gRPC) or `application/json`."""
    body: bytes
    received_unix_ns: int

    def message(self) -> Request:
        """The request, decoded."""
        signal = Signal(self.signal)
        if self.content_type == "application/json":
            return otlp_json.decode(signal, self.body)
        return signal.request_class.FromString(self.body)


@dataclass(frozen=True)
class Recording:
    """One scenario, run with one instrumentation."""

    folder: Path
    scenario: str

    @property
    def dialect(self) -> str:
        """The instrumentation, e.g. `traceloop-openai`."""
        return self.folder.name

    @functools.cached_property
    def truth(self) -> dict[str, Any]:
        """What the provider saw and answered, and which personal data was planted where."""
        text = (self.folder / f"{self.scenario}.truth.json").read_text(encoding="utf-8")
        return dict(json.loads(text))

    def exports(self) -> list[Export]:
        """The export requests in the order in which they were received."""
        found = [export for name, bodies in self.truth["bodies"].items() for export in self._cut(name, bodies)]
        return sorted(found, key=lambda export: export.received_unix_ns)

    def _cut(self, name: str, bodies: list[dict[str, Any]]) -> Iterator[Export]:
        data = (self.folder / name).read_bytes()
        signal = name.removeprefix(f"{self.scenario}.").split(".")[0]
        content_type = "application/json" if name.endswith(".jsonl") else "application/x-protobuf"
        for body in bodies:
            start = body["offset"]
            yield Export(signal, content_type, data[start : start + body["length"]], body["received_unix_ns"])


def load(folder: Path = CHECKOUT_FOLDER) -> list[Recording]:
    """All recordings under `folder`, in the order in which they were made.

    Raises:
        FileNotFoundError: there are none.
    """
    recordings = [
        Recording(path.parent, path.name.removesuffix(".truth.json")) for path in folder.glob("*/*.truth.json")
    ]
    if not recordings:
        raise FileNotFoundError(f"no recordings in {folder}; they are part of the source checkout")
    return sorted(recordings, key=lambda recording: recording.truth["started_unix_ns"])
