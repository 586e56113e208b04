"""Readable forms of spans that others bring: entry-point group `penstock.debug_views`.

A view is a function `(span: pipeline.signals.Span) -> list[str] | None`: lines for a person, or None for a span that is
not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pipeline.signals import Span
from pipeline.telemetry.log import Log

View: TypeAlias = Callable[[Span], list[str] | None]


class SpanViews:
    """All views there are; the first one that knows a span shows it."""

    def __init__(self, views: Mapping[str, View], log: Log) -> None:
        """Keep the views in the order of their names."""
        self._views = dict(views)
        self._log = log

    def lines(self, span: Span) -> list[str]:
        """The lines of the first view that has any; a view that raises is left out from then on."""
        for name, view in list(self._views.items()):
            try:
                lines = view(span)
            except Exception as error:  # noqa: BLE001 - a plug-in must not stop telemetry
                del self._views[name]
                self._log.error("Debug view failed. Will not use it any more.", view=name, error=type(error).__name__)
                continue
            if lines:
                return lines
        return []
