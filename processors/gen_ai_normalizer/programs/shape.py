"""What a program depends on: who recorded, which keys there are, and the words that rules look at."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from processors.gen_ai_normalizer.knowledge.matching import fits
from processors.gen_ai_normalizer.knowledge.rules import SCOPE_KEY, SCOPE_VERSION_KEY, Condition
from processors.gen_ai_normalizer.programs.recognition import ScopeId

Wanted = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of record."""

    scope: ScopeId
    keys: tuple[str, ...]
    kinds: Mapping[str, str]
    """Values of the keys that rules look at (`Compiler.words`), as far as they are words that rules look for."""

    def fits(self, condition: Condition) -> bool:
        """Whether a condition holds."""
        return (
            self._all(condition.when)
            and not (condition.unless and self._all(condition.unless))
            and all(key in self.keys for key in condition.present)
            and not any(key in self.keys for key in condition.absent)
        )

    def _all(self, conditions: Mapping[str, Wanted]) -> bool:
        return all(self._is(key, wanted) for key, wanted in conditions.items())

    def _is(self, key: str, wanted: Wanted) -> bool:
        if key == SCOPE_VERSION_KEY:
            return version_fits(self.scope.version, wanted)
        value = self.scope.name if key == SCOPE_KEY else self.kinds.get(key)
        words = (wanted,) if isinstance(wanted, str) else wanted
        return value is not None and any(fits(value, word) for word in words)


def version_fits(version: str, wanted: Wanted) -> bool:
    """Whether a version is as it should be: `<0.55.0`, `>=3`, `==1.2` or an exact version; of several, all must hold.

    Only the leading numbers count: `0.48b0` is compared as 0.48. A version that is not there fits nothing.
    """
    conditions = (wanted,) if isinstance(wanted, str) else wanted
    return bool(version) and all(_compares(version, condition) for condition in conditions)


_CONDITION: Final = re.compile(r"(<=|>=|==|<|>|)\s*(\S+)")
_SIGNS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
_RELEASE: Final = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,7})")


def _compares(version: str, condition: str) -> bool:
    parsed = _CONDITION.fullmatch(condition.strip())
    if parsed is None:
        return False
    sign, bound = parsed.groups()
    if not sign:
        return version == bound
    found, limit = _release(version), _release(bound)
    if not found or not limit:
        return False
    width = max(len(found), len(limit))
    return bool(_SIGNS[sign](found + (0,) * (width - len(found)), limit + (0,) * (width - len(limit))))


def _release(text: str) -> tuple[int, ...]:
    found = _RELEASE.match(text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()
