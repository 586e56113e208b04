"""Removing many items from a repeated message field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

_View = TypeVar("_View")


def remove_items(container: Any, gone: Sequence[bool]) -> None:
    """Remove the messages at which `gone` is true; the others stay the same objects in the same order.

    One pass, however many go: deleting one by one would move all behind it each time.
    """
    left = gone.count(False)
    if left == len(gone):
        return
    flags = iter(gone)
    container.sort(key=lambda _: next(flags))
    del container[left:]


def remove(container: Any, views: list[_View], gone: Sequence[bool]) -> list[_View]:
    """As `remove_items`; returns the `views` that are left of those that there are for each message."""
    remove_items(container, gone)
    return [view for view, is_gone in zip(views, gone, strict=True) if not is_gone]
