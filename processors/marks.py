"""Marks that the normaliser writes on records and others read."""

from __future__ import annotations

from typing import Final

DIALECT: Final = "penstock.dialect"
"""Which instrumentations wrote a record, by comma."""
ROLE: Final = "penstock.gen_ai.role"
"""Whether a record counts: `leaf`, `aggregate`, `duplicate`."""
