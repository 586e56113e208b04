"""Words for errors of the network: ours, OpenSSL's and the operating system's, never a stranger's."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import aiohttp
import pytest

from pipeline.transport.network_errors import why


def tls_error(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "words of a stranger")
    error.reason = reason  # type: ignore[assignment] # absent where OpenSSL gave none
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to host"),
        (OSError("Multiple exceptions: x, y"), "OSError"),
        (TimeoutError(), "TimeoutError"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "the name is not known"),
        (tls_error("WRONG_VERSION_NUMBER"), "TLS: wrong version number"),
        (tls_error(None), "SSLError"),
        (aiohttp.ServerDisconnectedError("x"), "ServerDisconnectedError"),
    ],
)
def test_words(error: Exception, words: str) -> None:
    assert why(error) == words


async def test_what_aiohttp_wraps() -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as refused:
            await session.get(f"http://localhost:{port}")
    assert why(refused.value) == "connection refused"
