"""What writes the stand-in of a value: placeholder, stars, a fixed text, the end of the value."""

from __future__ import annotations

from typing import Final

from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import StandIn, placeholder

STARS: Final = "stars"
PLACEHOLDER: Final = "placeholder"

_SEPARATORS: Final = frozenset(" -./()+:@_")
_LONGEST_REST: Final = 4
_SMALLEST_SHARE: Final = 3
_SHORTEST: Final = 8


def stars(_entity: str, value: str) -> str:
    """A star for each character."""
    return "*" * len(value)


def fixed(text: str) -> StandIn:
    """The same text for every value."""
    return lambda _entity, _value: text


def rest_of(entity: str, value: str) -> str:
    """Stars with the last four letters and digits: `****-****-****-4242`.

    Fewer where four are more than a third, none of less than eight.

    Separators stay where they are, but not in credentials, where they may be part of the secret.
    """
    plain = sum(map(_is_plain, value))
    kept = min(_LONGEST_REST, plain // _SMALLEST_SHARE) if plain >= _SHORTEST else 0
    entity_type = load_types().get(entity)
    separators = _SEPARATORS if entity_type and entity_type.group != "secret" else frozenset[str]()
    written = []
    for letter in reversed(value):
        if _is_plain(letter) and kept:
            written.append(letter)
            kept -= 1
        else:
            written.append(letter if letter in separators else "*")
    return "".join(reversed(written))


def is_rest(value: str) -> bool:
    """Whether a value is what stars or `rest_of` leave: nothing readable before the last star, and little behind."""
    head, star, tail = value.rpartition("*")
    return bool(star) and not any(map(_is_plain, head)) and sum(map(_is_plain, tail)) <= _LONGEST_REST


def _is_plain(letter: str) -> bool:
    return letter.isalnum()


MASKS: Final[dict[str, StandIn]] = {PLACEHOLDER: placeholder, STARS: stars}
