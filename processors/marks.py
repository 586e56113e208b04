"""Marks that the normaliser writes on records and others read."""

from __future__ import annotations

from typing import Final

DIALECT: Final = "penstock.dialect"
"""Which instrumentations wrote a record, by comma."""
ROLE: Final = "penstock.gen_ai.role"
"""Whether a record counts: `leaf`, `aggregate`, `duplicate`."""
ADVERSARIAL_INPUT: Final = "adversarial_input"
"""`gen_ai.evaluation.name` of what `adversarial` found in a text of a record."""
