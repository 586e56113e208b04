from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pipeline.component import ClientAuthenticator, ServerAuthenticator
from pipeline.errors import StartError, Unauthenticated
from pipeline.extensions.bearertokenauth import BearerTokenAuth, BearerTokenConfig
from pipeline.signals import Context
from pipeline.testing import FakeClock, configured, make_host


def _context(value: str, header: str = "authorization") -> Context:
    return Context(metadata={header: (value,)})


async def test_token() -> None:
    extension: BearerTokenAuth = configured(BearerTokenAuth, token="t1")
    await extension.start()
    assert await extension.headers() == {"authorization": "Bearer t1"}
    assert (await extension.authenticate(_context("Bearer t1"))).subject == ""
    assert isinstance(extension, ServerAuthenticator)
    assert isinstance(extension, ClientAuthenticator)


async def test_tokens() -> None:
    extension: BearerTokenAuth = configured(BearerTokenAuth, tokens=["t1", "t2"])
    for token in ("t1", "t2"):
        await extension.authenticate(_context(f"Bearer {token}"))
    assert await extension.headers() == {"authorization": "Bearer t1"}


async def test_header_and_scheme() -> None:
    extension: BearerTokenAuth = configured(BearerTokenAuth, token="t1", header="X-Api-Key", scheme="")
    assert await extension.headers() == {"x-api-key": "t1"}
    await extension.authenticate(_context("t1", "x-api-key"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "missing or empty authorization header: Authorization"),
        ("t1", "does not match expected scheme or token"),
        ("bearer t1", "does not match expected scheme or token"),
        ("Bearer t2", "does not match expected scheme or token"),
        ("Bearer \udcff", "does not match expected scheme or token"),
    ],
)
async def test_who_is_not_let_in(value: str, message: str) -> None:
    extension: BearerTokenAuth = configured(BearerTokenAuth, token="t1")
    with pytest.raises(Unauthenticated, match=message):
        await extension.authenticate(_context(value))


async def test_no_header() -> None:
    extension: BearerTokenAuth = configured(BearerTokenAuth, token="t1")
    with pytest.raises(Unauthenticated, match="missing or empty"):
        await extension.authenticate(Context())


async def _eventually(extension: BearerTokenAuth, token: str) -> None:
    """Files are read in a thread, which the fake clock does not wait for."""
    async with asyncio.timeout(60):
        while await extension.headers() != {"authorization": f"Bearer {token}"}:  # noqa: ASYNC110 - nothing says when
            await asyncio.sleep(0.01)


async def test_file_is_watched(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t1\n")
    clock = FakeClock()
    extension: BearerTokenAuth = configured(
        BearerTokenAuth, make_host("bearertokenauth", clock=clock), filename=str(file), token="ignored"
    )
    await extension.start()
    try:
        assert await extension.headers() == {"authorization": "Bearer t1"}
        with pytest.raises(Unauthenticated):
            await extension.authenticate(_context("Bearer ignored"))
        for content, sent in (("t2\nt3\n", "t2"), ("", "t2"), ("t4", "t4")):
            file.write_text(content)
            os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1_000_000_000))
            await clock.advance(1)
            await _eventually(extension, sent)
        file.write_bytes(b"\xff\n")
        await clock.advance(1)
        await _eventually(extension, "t4")
        file.unlink()
        await clock.advance(1)
        await _eventually(extension, "t4")
    finally:
        await extension.stop()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot read"), (b"\n", "holds no token"), (b"\xff", "is no UTF-8 text")]
)
async def test_a_file_without_token(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartError, match=message):
        await configured(BearerTokenAuth, filename=str(file)).start()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no bearer token provided"),
        ({"tokens": [""]}, "no bearer token provided"),
        ({"token": "a", "tokens": ["b"]}, "either tokens or token should be provided"),
    ],
)
def test_config(config: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BearerTokenConfig.model_validate(config)
