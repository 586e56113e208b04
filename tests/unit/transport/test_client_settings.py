"""Headers of clients."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config import Secret
from pipeline.transport.client_settings import Header, headers_of, plain_headers


class Token:
    """Proves who we are."""

    async def headers(self) -> Mapping[str, str]:
        return {"authorization": "new"}


def test_both_forms_give_lower_case_names_and_readable_values() -> None:
    assert plain_headers({"X-Key": Secret("v")}) == {"x-key": "v"}
    assert plain_headers((Header(name="X-Key", value=Secret("v")),)) == {"x-key": "v"}


def test_values_do_not_show_when_printed() -> None:
    assert "hidden" not in repr(Header(name="a", value=Secret("hidden")))


async def test_the_authenticators_headers_win() -> None:
    fixed = {"authorization": "old", "x": "y"}

    assert await headers_of(Token(), fixed) == {"authorization": "new", "x": "y"}
    assert await headers_of(None, fixed) is fixed
