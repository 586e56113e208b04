"""Checks: national numbers of the Americas."""

from typing import Final

from processors.redaction.rule import Check

CHECKS: Final[dict[str, Check]] = {}
