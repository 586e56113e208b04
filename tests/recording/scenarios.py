"""The scenarios: what a user asks, and what the model answers. Data: `scenarios.yaml`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.recording.answers import Answer

_FILE: Final = Path(__file__).with_name("scenarios.yaml")


@dataclass(frozen=True)
class Scenario:
    """One scenario."""

    name: str
    data: dict[str, Any]

    @property
    def answers(self) -> list[Answer]:
        """What the model answers, in order."""
        return [Answer.parse(entry) for entry in self.data["answers"]]

    def for_driver(self) -> str:
        """What a driver is told, as JSON: everything but the answers; tools with their definitions."""
        data = {key: value for key, value in self.data.items() if key not in {"answers", "planted"}}
        tools = [tool for tool in _load()["tools"] if tool["name"] in self.data.get("tools", ())]
        return json.dumps({"name": self.name, **data, "tools": tools})

    def truth(self) -> dict[str, Any]:
        """What the truth file says of the scenario itself."""
        data = self.data
        refused = any(answer.error for answer in self.answers)
        return {
            "kind": data.get("kind", "chat"),
            "lang": "en",
            "tags": [],
            "planted": data.get("planted", []),
            "injection": None,
            "user_id": data.get("user_id"),
            "session_id": data.get("session_id"),
            "stream": bool(data.get("stream")),
            "n": 1,
            "expect_error": refused,
            "turns": 1,
        }


def _load() -> dict[str, Any]:
    return dict(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def load_scenarios() -> dict[str, Scenario]:
    """All scenarios by name."""
    return {name: Scenario(name, data) for name, data in _load()["scenarios"].items()}
