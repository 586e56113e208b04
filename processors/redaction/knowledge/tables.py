"""Reads the data tables of this package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

# libyaml's loader where it is there: tables are read at every start, or when the first value needs them.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read_table(name: str) -> Any:
    """The content of `data/<name>`; the same object for everyone, so treat it as constant."""
    return parse((resources.files("processors.redaction") / "data" / name).read_text(encoding="utf-8"))


def parse(text: str) -> Any:
    """What a YAML text of this package says."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one
