"""Checks: national numbers of Japan."""

from typing import Final

from processors.redaction.rule import Check

CHECKS: Final[dict[str, Check]] = {}
