"""What policies have learned, kept while some policy has use for it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from weakref import WeakValueDictionary


class Memories:
    """By pipeline: the states of policies, kept by `Host.shared`.

    A reload builds policies before it lets the old ones go: what both know goes on, what no policy knows any more ends.
    """

    def __init__(self) -> None:
        """Nothing has been learned."""
        self._by_pipeline: dict[str, WeakValueDictionary[str, Any]] = {}

    def of(self, pipeline: str) -> MutableMapping[str, Any]:
        """The states of a pipeline's policies, for `Setting.memory`."""
        return self._by_pipeline.setdefault(pipeline, WeakValueDictionary())
