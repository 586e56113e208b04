"""Reads the data tables of this package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml


@cache
def read_table(name: str) -> Any:
    """The content of `data/<name>`; the same object for everyone, so treat it as constant."""
    return yaml.safe_load((resources.files("processors.redaction") / "data" / name).read_text(encoding="utf-8"))
