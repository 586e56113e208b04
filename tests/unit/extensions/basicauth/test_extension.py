from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import bcrypt
import pytest

from pipeline.component import ClientAuthenticator, ServerAuthenticator
from pipeline.errors import Refused, StartError, Unauthenticated
from pipeline.extensions.basicauth import BasicAuth, BasicAuthConfig, htpasswd
from pipeline.signals import Auth, Context
from pipeline.testing import FakeClock, configured, make_host

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def _context(header: str | None) -> Context:
    return Context(metadata={} if header is None else {"authorization": (header,)})


def _basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


async def _server(inline: str, file: str = "") -> BasicAuth:
    extension: BasicAuth = configured(BasicAuth, htpasswd={"inline": inline, "file": file})
    await extension.start()
    return extension


async def test_who_is_let_in() -> None:
    server = await _server(f"alice:{HASH}\nbob:plain")
    for header, name in ((_basic("alice:secret"), "alice"), (_basic("bob:plain").replace("Basic", "basic"), "bob")):
        auth = await server.authenticate(_context(header))
        assert auth.subject == name
        assert auth.attributes == {"username": name, "raw": header.partition(" ")[2]}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "no basic auth provided"),
        ("", "no basic auth provided"),
        ("Bearer x", "invalid authorization scheme prefix"),
        ("Basic ***", "invalid authorization format"),
        ("Basic " + b64encode(b"\xff:x").decode(), "invalid authorization format"),
        (_basic("alice"), "invalid authorization format"),
        (_basic("alice:wrong"), "invalid credentials"),
        (_basic("nobody:secret"), "invalid credentials"),
        (_basic("nobody:"), "invalid credentials"),
    ],
)
async def test_who_is_not(header: str | None, message: str) -> None:
    server = await _server(f"alice:{HASH}")
    for _ in range(2):
        with pytest.raises(Unauthenticated, match=message):
            await server.authenticate(_context(header))


async def test_no_users_let_nobody_in() -> None:
    server = await _server("")
    with pytest.raises(Unauthenticated):
        await server.authenticate(_context(_basic(":")))


async def test_the_slow_check_is_made_once_and_wrong_guesses_are_checked_each_time() -> None:
    server = await _server(f"alice:{HASH}")
    with patch.object(htpasswd, "verify", wraps=htpasswd.verify) as verify:
        for _ in range(3):
            await server.authenticate(_context(_basic("alice:secret")))
        assert verify.call_count == 1
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await server.authenticate(_context(_basic("alice:guess")))
        assert verify.call_count == 3


async def test_who_comes_again_while_checked_waits_for_the_same_check() -> None:
    server = await _server(f"alice:{HASH}")
    with patch.object(htpasswd, "verify", wraps=htpasswd.verify) as verify:
        await asyncio.gather(*(server.authenticate(_context(_basic("alice:secret"))) for _ in range(200)))
    assert verify.call_count == 1


async def test_a_flood_of_guesses_does_not_wait_in_line() -> None:
    server = await _server(f"alice:{HASH}")
    known = _context(_basic("alice:secret"))
    await server.authenticate(known)
    guesses = [server.authenticate(_context(_basic(f"alice:{number}"))) for number in range(100)]
    answers = await asyncio.gather(*guesses, server.authenticate(known), return_exceptions=True)
    kinds = Counter(type(answer) for answer in answers)
    assert kinds == {Unauthenticated: 64, Refused: 36, Auth: 1}
    with pytest.raises(Unauthenticated):
        await server.authenticate(_context(_basic("alice:later")))


async def _until_refused(server: BasicAuth, header: str, clock: FakeClock) -> None:
    async with asyncio.timeout(60):
        while True:
            await clock.advance(1)
            try:
                await server.authenticate(_context(header))
            except Unauthenticated:
                return


async def test_a_file_that_changes(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("alice:old\n")
    clock = FakeClock()
    server: BasicAuth = configured(BasicAuth, make_host("basicauth", clock=clock), htpasswd={"file": str(file)})
    await server.start()
    await server.authenticate(_context(_basic("alice:old")))
    file.write_text("alice:newer\n")
    await _until_refused(server, _basic("alice:old"), clock)
    await server.authenticate(_context(_basic("alice:newer")))
    for broken in (b"nonsense", b"\xff", None):
        if broken is None:
            file.unlink()
        else:
            file.write_bytes(broken)
        await clock.advance(2)
        await server.authenticate(_context(_basic("alice:newer")))
    file.write_text("bob:x\n")
    await _until_refused(server, _basic("alice:newer"), clock)
    await server.stop()


async def test_what_is_remembered_holds_no_credentials() -> None:
    server = await _server(f"alice:{HASH}")
    header = _basic("alice:secret")
    await server.authenticate(_context(header))
    assert all(header.encode() not in key and len(key) == 64 for key in server._known)


async def test_inline_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("alice:old\ncarol:file\n")
    server = await _server("alice:new", str(file))
    await server.authenticate(_context(_basic("alice:new")))
    await server.authenticate(_context(_basic("carol:file")))
    with pytest.raises(Unauthenticated):
        await server.authenticate(_context(_basic("alice:old")))


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot read htpasswd file"):
        await _server("", str(tmp_path / "missing"))


async def test_a_file_that_is_no_htpasswd(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("nonsense")
    with pytest.raises(StartError, match="line 1: expected user:password"):
        await _server("", str(file))


async def test_client() -> None:
    client: BasicAuth = configured(BasicAuth, client_auth={"username": "alice", "password": "secret"})
    await client.start()
    assert await client.headers() == {"authorization": _basic("alice:secret")}


def test_each_side_is_only_what_it_is_configured_to_be() -> None:
    server = configured(BasicAuth, htpasswd={"inline": "a:b"})
    client = configured(BasicAuth, client_auth={"username": "a"})
    assert isinstance(server, ServerAuthenticator)
    assert not isinstance(server, ClientAuthenticator)
    assert isinstance(client, ClientAuthenticator)
    assert not isinstance(client, ServerAuthenticator)


@pytest.mark.parametrize(
    ("config", "message"),
    [({}, "no credential source provided"), ({"htpasswd": {}, "client_auth": {}}, "only one of")],
)
def test_config(config: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BasicAuthConfig.model_validate(config)
