"""A goal, what was measured, and whether it is reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the report.

    Attributes:
        least: the value must not be below it; `most`: not above it.
        unit: `%` for shares (0 to 1), else what follows the number.
    """

    name: str
    value: float
    least: float | None = None
    most: float | None = None
    unit: str = "%"

    @property
    def is_reached(self) -> bool:
        """Whether the value is within its bounds."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def row(self) -> list[str]:
        """Cells of the report."""
        bounds = [f">= {self._text(self.least)}"] if self.least is not None else []
        bounds += [f"<= {self._text(self.most)}"] if self.most is not None else []
        return [self.name, self._text(self.value), " and ".join(bounds) or "-", "yes" if self.is_reached else "NO"]

    def _text(self, value: float | None) -> str:
        if value is None:
            return ""
        if self.unit == "%":
            return f"{100 * value:.4g} %"
        # Four digits that count, without an exponent.
        return f"{float(f'{value:.4g}'):,.10g}{self.unit}"
