"""Certificates given as text reach OpenSSL, by a file in memory or by one that is gone at once."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipeline.transport import private_file
from pipeline.transport.private_file import load_identity


def _identity(authority: trustme.CA) -> tuple[bytes, bytes]:
    leaf = authority.issue_cert("localhost")
    return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()


@pytest.fixture(params=["as the system has it", "on disk"])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if request.param == "on disk":
        monkeypatch.setattr(private_file, "_memory_file", lambda: None)
    return tmp_path


def test_a_pair(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_identity(context, *_identity(trustme.CA()))
    assert not list(folder.iterdir())


def test_no_pair(folder: Path) -> None:
    authority = trustme.CA()
    (cert, _), (_, key) = _identity(authority), _identity(authority)
    with pytest.raises(ssl.SSLError):
        load_identity(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    assert not list(folder.iterdir())


@pytest.mark.skipif("sys.platform != 'linux'", reason="memfd_create(2) is Linux'")
def test_a_key_touches_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_file(*_: Any, **__: Any) -> None:
        raise AssertionError("written to a disk")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", no_file)
    load_identity(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *_identity(trustme.CA()))
