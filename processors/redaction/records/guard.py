"""Fails closed: what cannot be worked on does not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

_Arguments = ParamSpec("_Arguments")


def succeeds(work: Callable[_Arguments, object], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> bool:
    """Do the work; False where it raised anything at all, of which nobody learns the content."""
    try:
        work(*args, **kwargs)
    except Exception:  # noqa: BLE001 - whatever went wrong, the item does not leave
        return False
    return True
