"""Keyed pseudonyms: the same value gives the same one at every place, and nobody without the key can go back."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pipeline.worker import RUN_SECRET, RunSecret
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.tables import read_table

SHORTEST_KEY_BYTES: Final = 32
"""RFC 2104 section 3: a key shorter than the digest weakens the function."""


class Pseudonyms:
    """Makes pseudonyms with one key."""

    def __init__(self, key: bytes, digits: int) -> None:
        """Write `digits` hexadecimal digits of the HMAC-SHA256 of a value."""
        self._mac = hmac.new(key, digestmod=hashlib.sha256)
        self._digits = digits

    def stand_in(self, entity: str, value: str) -> str:
        """`<EMAIL:7f3a91>`; values that differ in their spelling alone (case, separators) give the same."""
        mac = self._mac.copy()
        mac.update(f"{entity}\0{same_spelling(entity, value)}".encode("utf-8", "surrogatepass"))
        return f"<{entity}:{mac.hexdigest()[: self._digits]}>"


def same_spelling(entity: str, value: str) -> str:
    """One spelling for all spellings of a value, as far as its type says that they mean the same."""
    return _spellings().get(entity, _exact)(value)


def _exact(value: str) -> str:
    return value


def _caseless(value: str) -> str:
    return "".join(unicodedata.normalize("NFKC", value).casefold().split())


def _alphanumeric(value: str) -> str:
    return "".join([letter for letter in unicodedata.normalize("NFKC", value).upper() if letter.isalnum()])


_SPELLINGS: Final = {"exact": _exact, "caseless": _caseless, "alphanumeric": _alphanumeric}


@cache
def _spellings() -> dict[str, Callable[[str], str]]:
    table: Mapping[str, Any] = read_table("spellings.yaml")
    return {
        name: _SPELLINGS[table["types"].get(name, table["groups"].get(entity.group, "exact"))]
        for name, entity in load_types().items()
    }


class RandomKey:
    """A key for this run, the same in all its workers."""

    def __init__(self, secret: RunSecret) -> None:
        """Derive it from the secret of the run when first asked for."""
        self._secret = secret
        self._key: bytes | None = None

    def take(self, tell: Callable[[], None]) -> bytes:
        """The key; `tell` is called when it is first asked for."""
        if self._key is None:
            self._key = self._secret.key("redaction pseudonyms")
            tell()
        return self._key


PROCESS_KEY: Final = RandomKey(RUN_SECRET)
"""The key of all instances without one of their own: what one replaces, the others replace alike."""
