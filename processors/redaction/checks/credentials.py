"""Checks: checksums and structure of credentials."""

from typing import Final

from processors.redaction.rule import Check

CHECKS: Final[dict[str, Check]] = {}
