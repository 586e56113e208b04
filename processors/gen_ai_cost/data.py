"""The data files of the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

try:
    # The same loader in C: ten times as fast, and part of the start.
    from yaml import CSafeLoader as Loader
except ImportError:  # pragma: no cover - PyYAML built without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]


def load(name: str) -> Any:
    """A YAML file of the package."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=Loader)
