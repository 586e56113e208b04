"""The mark says what is missing, and is found again."""

from __future__ import annotations

import pytest

from processors.limits.marker import Marker


@pytest.mark.parametrize("template", ["…[cut {bytes} bytes]", "({bytes})", "...", "[cut {bytes}"])
def test_a_mark_is_found_at_the_end_only(template: str) -> None:
    marker = Marker(template)
    mark = marker.text(123)
    assert marker.take_off("text" + mark) == ("text", 123 if "{bytes}" in template else 0)
    assert marker.take_off(mark + "text") == (mark + "text", 0)
    assert len(mark.encode()) == marker.size_bytes(123)


def test_no_mark() -> None:
    assert Marker("").take_off("text") == ("text", 0)
