"""Checks: national numbers of Asia, Africa and Oceania, Japan apart."""

from typing import Final

from processors.redaction.rule import Check

CHECKS: Final[dict[str, Check]] = {}
