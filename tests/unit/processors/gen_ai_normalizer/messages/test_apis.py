"""Requests and responses of every provider's API and library, as messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from processors.gen_ai_normalizer.messages.shapes import to_conversation, to_messages
from tests.unit.processors.gen_ai_normalizer.messages.schema import check_messages, check_parts

DATA = Path(__file__).parents[4] / "data" / "messages"


def cases(name: str) -> list[Any]:
    table = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=title) for title, case in table.items()]


@pytest.mark.parametrize("case", cases("requests"))
def test_requests(case: dict[str, Any]) -> None:
    found = to_conversation(case["request"])
    assert found.messages == case["messages"]
    assert found.instructions == case.get("instructions", [])
    check_messages(found.messages)
    check_parts(found.instructions)
    assert to_messages(found.messages) == found.messages, "messages in the schema stay as they are"


@pytest.mark.parametrize("case", cases("responses"))
def test_responses(case: dict[str, Any]) -> None:
    found = to_messages(case["response"], "assistant")
    assert found == [case["message"]]
    check_messages(found)
    assert to_messages(found, "assistant") == found
