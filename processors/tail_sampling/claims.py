"""Whether somebody has lost the claim to spans that wait, so that traces are looked through."""

from __future__ import annotations

from pipeline.signals import Delivery


class Claims:
    """Told by handles (`Delivery.on_disowned`), as long as they live: a reload passes it on with the traces."""

    __slots__ = ("_lost", "_seen")

    def __init__(self) -> None:
        """None is lost."""
        self._lost = self._seen = 0

    def lose(self, _: Delivery) -> None:
        """Somebody else brings some spans again, perhaps to somebody else."""
        self._lost += 1

    @property
    def are_lost(self) -> bool:
        """Whether some were lost since all traces were looked through."""
        return self._lost != self._seen

    @property
    def lost(self) -> int:
        """How many were lost so far."""
        return self._lost

    def looked(self, lost: int) -> None:
        """All traces were looked through; when that began, so many claims had been lost."""
        self._seen = lost
