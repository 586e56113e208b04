"""What is built for a configuration, and what is said about it."""

from __future__ import annotations

import sys

import pytest

from pipeline.testing import configured
from processors.redaction import stages
from processors.redaction.processor import Redaction

SLOW = "Vectorscan is not installed"


def test_a_missing_engine_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(stages, "_TOLD", [])
    monkeypatch.setitem(sys.modules, "processors.redaction.detection.vectorscan", None)
    for entities in (["IBAN"], ["MAC_ADDRESS"]):
        configured(Redaction, None, entities=entities)
    assert caplog.text.count(SLOW) == 1


def test_who_has_the_engine_is_told_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(stages, "_TOLD", [])
    configured(Redaction, None, entities=["IBAN"])
    assert SLOW not in caplog.text


def test_the_numbering_plans_are_read_for_telephones_only(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(stages, "load_common_plans", lambda: read.append("plans"))
    configured(Redaction, None, entities=["EMAIL"])
    assert read == []
    configured(Redaction, None, entities=["PHONE"])
    assert read == ["plans"]
