"""Data files of the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

_DATA: Final = files("processors.adversarial") / "data"
# libyaml's loader where it is there: the tables are read at the start of a pipeline.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read_table(name: str) -> Any:
    """What a YAML file of `data/` holds; the same object for everyone, so treat it as constant."""
    return parse((_DATA / name).read_text("utf-8"))


def parse(text: str) -> Any:
    """What a YAML text of this package says."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one


def read_blob(name: str) -> bytes:
    """A binary file of `data/`."""
    return (_DATA / name).read_bytes()


__all__ = ["parse", "read_blob", "read_table"]
