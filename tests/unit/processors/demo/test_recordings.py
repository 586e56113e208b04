"""The recordings are complete: every dialect, every body where the truth says it is."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.demo.recordings import CHECKOUT_FOLDER, Export, load

if TYPE_CHECKING:
    from pathlib import Path


def _spans(export: Export) -> int:
    message = export.message()
    assert isinstance(message, ExportTraceServiceRequest)
    return sum(len(scope.spans) for group in message.resource_spans for scope in group.scope_spans)


def test_three_scenarios_or_more_of_each_of_44_dialects_and_more() -> None:
    counts = Counter(recording.dialect for recording in load())
    assert len(counts) >= 44
    assert [dialect for dialect, count in counts.items() if count < 3] == []


def test_manifest_lists_what_is_there() -> None:
    manifest = json.loads((CHECKOUT_FOLDER / "manifest.json").read_text(encoding="utf-8"))
    listed = {(d, entry["scenario"]) for d, v in manifest["dialects"].items() for entry in v["scenarios"]}
    assert listed == {(recording.dialect, recording.scenario) for recording in load()}


def test_bodies_are_whole_requests() -> None:
    spans = 0
    for recording in load():
        mine = sum(_spans(export) for export in recording.exports() if export.signal == "traces")
        assert mine == recording.truth["counts"].get("spans", 0), recording
        spans += mine
    assert spans > 800


def test_exports_are_in_order_of_arrival_and_of_all_signals() -> None:
    recording = next(r for r in load() if (r.dialect, r.scenario) == ("otel-openai-v2", "stream_en"))
    exports = recording.exports()
    assert [export.signal for export in exports] == ["logs", "traces", "metrics", "logs"]
    records = ExportLogsServiceRequest.FromString(exports[0].body).resource_logs[0].scope_logs[0].log_records
    assert records[0].event_name == "gen_ai.system.message"


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no recordings"):
        load(tmp_path)
