"""The world's telephone numbering plans (ITU-T E.164), from the metadata of PyPI `phonenumberslite`.

Its own parser takes tens of microseconds a number, for formats that the rules have already told apart; matching digits
against the plans takes one or two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from processors.redaction.knowledge.tables import read_table

_KINDS: Final = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "uan")
_LONGEST_COUNTRY_CODE: Final = 3


@dataclass(frozen=True, slots=True)
class _Plan:
    """Numbers of one region: the prefix of national dialling, the lengths, the pattern of all kinds."""

    prefix: str
    lengths: frozenset[int]
    pattern: re.Pattern[str]

    def knows(self, digits: str) -> bool:
        return any(self.pattern.fullmatch(number) for number in self._without_prefix(digits))

    def allows(self, digits: str) -> bool:
        return any(len(number) in self.lengths for number in self._without_prefix(digits))

    def _without_prefix(self, digits: str) -> tuple[str, ...]:
        if self.prefix and digits.startswith(self.prefix):
            return digits, digits[len(self.prefix) :]
        return (digits,)


def is_national(digits: str, regions: Iterable[str] = ()) -> bool:
    """Whether the digits are a number as dialled within one of the regions, else of `data/phone_regions.yaml`."""
    return any(_plan(region).knows(digits) for region in regions or read_table("phone_regions.yaml"))


def is_international(digits: str, *, possible_is_enough: bool) -> bool:
    """Whether the digits, country code first, are a number of a plan, or at least of a length that it has."""
    for size in range(1, _LONGEST_COUNTRY_CODE + 1):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:size] or "0"))
        if regions is not None:
            number = digits[size:]
            # A plan takes a millisecond to read, and +1 has 25 of them.
            plans = map(_plan, [region for region in regions if region != "001"])
            return any(plan.knows(number) or (possible_is_enough and plan.allows(number)) for plan in plans)
    return False


def load_common_plans() -> None:
    """Read the plans of `data/phone_regions.yaml` now, some milliseconds each, and not when the first number comes."""
    for region in read_table("phone_regions.yaml"):
        _plan(region)


@cache
def _plan(region: str) -> _Plan:
    """The plan of a region. Raises KeyError for a region without one."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None:
        raise KeyError(region)
    kinds = [description for kind in _KINDS if (description := getattr(metadata, kind)) is not None]
    patterns = [kind.national_number_pattern for kind in kinds if kind.national_number_pattern]
    return _Plan(
        prefix=metadata.national_prefix or "",
        lengths=frozenset(metadata.general_desc.possible_length),
        pattern=re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.ASCII),
    )
