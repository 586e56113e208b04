"""Reads the small data tables of this package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml


@cache
def read_table(name: str) -> Any:
    """The content of `data/<name>.yaml`; the same object for everyone, so treat it as constant."""
    text = (resources.files("processors.adversarial") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)
