from __future__ import annotations

import pytest

from pipeline.worker import ALONE, VARIABLE, RunSecret, Worker


def test_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Worker.of_environment() == ALONE == Worker(0, 1)
    monkeypatch.setenv(VARIABLE, "2/4")
    assert Worker.of_environment() == Worker(2, 4)


def test_keys_differ_by_purpose_and_run_and_are_the_same_in_workers() -> None:
    parent, worker = RunSecret(), RunSecret()
    worker.adopt(parent.take())
    assert worker.key("a") == parent.key("a") != parent.key("b")
    assert RunSecret().key("a") != parent.key("a")
    assert len(parent.key("a")) == 32
