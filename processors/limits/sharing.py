"""Divides room among those who want it: small wants are met, large ones are cut to an equal measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Want:
    """What one needs at least, and takes at most, in bytes. Of what is left a heavier one gets more."""

    least: int
    most: int
    weight: int = 1


def share(room_bytes: int, wants: Sequence[Want]) -> list[int]:
    """What each gets: the least, and an even share of what is left of `room_bytes`, up to the most.

    Where the least of all is more than there is, each gets its least.
    """
    given = [want.least for want in wants]
    left = room_bytes - sum(given)
    if left <= 0:
        return given
    order = sorted(range(len(wants)), key=lambda index: (wants[index].most - wants[index].least) / wants[index].weight)
    weight = sum(want.weight for want in wants)
    for index in order:
        want = wants[index]
        more = max(0, min(want.most - want.least, left * want.weight // weight))
        given[index] += more
        left -= more
        weight -= want.weight
    return given
