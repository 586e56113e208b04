"""Removing many items from a repeated message field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

_View = TypeVar("_View")


def remove(container: Any, views: list[_View], gone: Sequence[bool]) -> list[_View]:
    """Remove the messages at which `gone` is true; returns the `views` that are left, one for each message.

    Messages stay the same objects. One pass, however many go: deleting one by one would move all behind it each time.
    """
    left = gone.count(False)
    if left == len(gone):
        return views
    flags = iter(gone)
    container.sort(key=lambda _: next(flags))
    del container[left:]
    return [view for view, is_gone in zip(views, gone, strict=True) if not is_gone]
