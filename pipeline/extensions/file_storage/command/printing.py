"""Tables and JSON on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """A table; its first row has the names."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{cells.rstrip()}\n")


def seconds_since(unix_ms: int) -> float:
    """Age of what happened then."""
    return round(max(0.0, time.time() - unix_ms / 1000), 3)


def age(seconds: float) -> str:
    """An age in its two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d{hours}h"
    return f"{hours}h{minutes}m" if hours else f"{minutes}m{whole % 60}s"


def print_json(tree: object) -> None:
    """Readable JSON."""
    sys.stdout.write(json.dumps(tree, indent=2, ensure_ascii=False) + "\n")
