"""What a driver is told: the scenario as JSON in the environment. Standard library only: drivers run in other venvs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

SCENARIO: dict[str, Any] = json.loads(os.environ["RECORDING_SCENARIO"])
"""`name`, and as far as the scenario has them: `system`, `prompt`, `stream`, `tools` (`name`, `description`,
`parameters`, `returns`), `user_id`, `session_id`, `temperature`, `max_tokens`, `inputs`, `documents`."""

PROVIDER_URL = os.environ["RECORDING_PROVIDER_URL"]
"""Address of the provider without a path."""


def tool(name: str) -> Callable[..., str]:
    """What stands behind a tool of the scenario: gives back the same text whatever it is asked."""
    returns: str = next(entry["returns"] for entry in SCENARIO["tools"] if entry["name"] == name)
    return lambda **_arguments: returns


def messages() -> list[dict[str, Any]]:
    """System and user message in OpenAI's form."""
    system = SCENARIO.get("system")
    return [
        *([{"role": "system", "content": system}] if system else []),
        {"role": "user", "content": SCENARIO["prompt"]},
    ]


def openai_tools() -> list[dict[str, Any]]:
    """The scenario's tools in the form of OpenAI's chat completions."""
    fields = ("name", "description", "parameters")
    return [
        {"type": "function", "function": {key: entry[key] for key in fields}} for entry in SCENARIO.get("tools", [])
    ]
