"""What a value must be by itself, separators removed and letters in upper case: check digits, ranges, allocation."""

from typing import Final

from processors.redaction.checks import americas, asia, common, europe, japan
from processors.redaction.knowledge.rule import Check

CHECKS: Final[dict[str, Check]] = {
    **common.CHECKS,
    **americas.CHECKS,
    **europe.CHECKS,
    **asia.CHECKS,
    **japan.CHECKS,
}
"""By the names that rule files use."""
