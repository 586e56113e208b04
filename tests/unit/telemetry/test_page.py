"""The scrape page: methods, paths, and who may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from pipeline.errors import Refused, StartError, Unauthenticated
from pipeline.telemetry.exposition import Family, Point, Series
from pipeline.telemetry.page import ScrapePage
from tests.servers.processes import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FAMILY = Family("m", "gauge", "", [Series((), [Point(1)])])


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """Serve a page; gives a function that asks it for something and returns status and text."""
    pages: list[ScrapePage] = []

    async def start(**options: Any) -> Callable[..., Any]:
        page = ScrapePage(lambda: [FAMILY], **options)
        pages.append(page)
        await page.start("127.0.0.1:0")

        async def ask(method: str = "GET", path: str = "/metrics") -> tuple[int, str]:
            url = f"http://127.0.0.1:{page.port}{path}"
            async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
                return answer.status, await answer.text()

        return ask

    yield start
    for page in pages:
        await page.stop()


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/metrics", 200, "# HELP m \n# TYPE m gauge\nm 1\n"),
        ("GET", "/metrics?collect=all", 200, "# HELP m \n# TYPE m gauge\nm 1\n"),
        ("HEAD", "/metrics", 200, ""),
        ("GET", "/", 404, "404 page not found\n"),
        ("GET", "/metrics/", 404, "404 page not found\n"),
    ],
)
async def test_paths_and_methods(serve: Any, method: str, path: str, status: int, text: str) -> None:
    ask = await serve()
    assert await ask(method, path) == (status, text)


@pytest.mark.parametrize(
    ("error", "status"), [(Unauthenticated("who are you"), 401), (Refused("provider away"), 503), (None, 200)]
)
async def test_authorization_decides(serve: Any, error: Exception | None, status: int) -> None:
    async def authenticate(_context: Any) -> None:
        if error is not None:
            raise error

    ask = await serve(authenticate=authenticate)
    got, text = await ask()
    assert got == status
    assert ("m 1" in text) is (error is None)


async def test_stop_frees_the_port_and_start_takes_it_again() -> None:
    page = ScrapePage(lambda: [FAMILY])
    await page.start("127.0.0.1:0")
    port = page.port
    await page.stop()
    await page.stop()
    assert not listening(port)
    await page.start(f"127.0.0.1:{port}")
    other = ScrapePage(list)
    with pytest.raises(StartError, match="address already in use"):
        await other.start(f"127.0.0.1:{port}")
    await page.stop()
