"""What is replayed: the package's recordings are those of the checkout; files of every form; no metrics."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import zstandard

from pipeline.errors import PenstockError
from pipeline.signals import Signal, otlp_json
from pipeline.testing import log_request, metric_request, trace_request
from processors.demo.recorded import PACKAGED, recorded
from processors.demo.recordings import CHECKOUT_FOLDER, load
from tests.recording.packaged import packaged


def test_the_package_has_what_the_checkout_has() -> None:
    held = zstandard.ZstdDecompressor().decompress(PACKAGED[0].read_bytes())
    assert held == packaged(), "run `python -m tests.recording.packaged`"
    counts = Counter[str]()
    for recording in load():
        counts.update(recording.truth["counts"])
    sent = Counter[str]()
    for each in recorded(PACKAGED[:1]):
        sent[each.signal.items] += each.count
    assert sent == {"spans": counts["spans"], "log_records": counts["log_records"]}


def test_nothing_given_is_all_of_the_package() -> None:
    assert len(recorded(())) == len(recorded(PACKAGED[:1])) + len(recorded(PACKAGED[1:]))


def test_signals_of_protobuf_go_by_the_name(tmp_path: Path) -> None:
    traces, logs, metrics = tmp_path / "a.binpb", tmp_path / "a.logs.binpb", tmp_path / "a.metrics.binpb"
    traces.write_bytes(trace_request({"a": 1}).SerializeToString())
    logs.write_bytes(log_request("x", "y").SerializeToString())
    metrics.write_bytes(metric_request({"m": [1]}).SerializeToString())
    assert [(each.signal, each.count) for each in recorded([logs, metrics, traces])] == [("logs", 2), ("traces", 1)]


def test_json_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "both.jsonl.zst"
    lines = b"\n".join(otlp_json.encode(each) for each in (log_request("x"), trace_request({}), metric_request({})))
    path.write_bytes(zstandard.ZstdCompressor().compress(lines))
    assert [each.signal for each in recorded([path])] == [Signal.LOGS, Signal.TRACES]


def test_a_folder_of_recordings() -> None:
    assert {each.signal for each in recorded([CHECKOUT_FOLDER])} == {Signal.TRACES, Signal.LOGS}


@pytest.mark.parametrize("name", ["missing.json", "broken.json", "empty.json", "folder"])
def test_what_cannot_be_sent_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{nothing")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(PenstockError, match=r"missing.json|broken.json|no spans|folder"):
        recorded([tmp_path / name])


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(PenstockError, match=r"missing.json: No such file or directory$"):
        recorded([tmp_path / "missing.json"])
