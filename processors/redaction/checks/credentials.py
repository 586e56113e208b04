"""Checks: checksums and structure of credentials."""

from typing import Final

from processors.redaction.knowledge.rule import Check

CHECKS: Final[dict[str, Check]] = {}
