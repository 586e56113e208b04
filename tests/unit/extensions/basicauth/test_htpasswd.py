"""Hashes of every supported form; the apr1 values are OpenSSL's (`openssl passwd -apr1`)."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode

import bcrypt
import pytest

from pipeline.extensions.basicauth.htpasswd import apr1, parse, slowest, verify

BCRYPT = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
SALT = os.urandom(4)
HASHES = {
    "bcrypt 2b": BCRYPT,
    "bcrypt 2y": BCRYPT.replace("$2b$", "$2y$"),
    "bcrypt 2a": BCRYPT.replace("$2b$", "$2a$"),
    "apr1": "$apr1$x7/Yz.01$vhfyhSPVZUIHgroedFP7g.",
    "SHA": "{SHA}" + b64encode(hashlib.sha1(b"secret").digest()).decode(),
    "SSHA": "{SSHA}" + b64encode(hashlib.sha1(b"secret" + SALT).digest() + SALT).decode(),
    "plain": "secret",
}


@pytest.mark.parametrize("expected", HASHES.values(), ids=HASHES.keys())
def test_verify(expected: str) -> None:
    assert verify("secret", expected)
    assert not verify("Secret", expected)
    assert not verify("", expected)


@pytest.mark.parametrize(
    ("password", "salt", "expected"),
    [
        ("a much longer password than sixteen bytes", "x7/Yz.01", "$apr1$x7/Yz.01$TWWBP/cQU63n7uREClL3B0"),
        ("", "x7/Yz.01", "$apr1$x7/Yz.01$n6IfUsrF2bgJ55s1zHXvO."),
        ("pässwort", "ab", "$apr1$ab$m0Qi1tHtJdwZvgNPfZw7P/"),
    ],
)
def test_apr1(password: str, salt: str, expected: str) -> None:
    assert apr1(password.encode(), salt.encode()) == expected


def test_bcrypt_reads_72_bytes() -> None:
    long = "x" * 100
    hashed = bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()
    assert verify(long, hashed)


@pytest.mark.parametrize("broken", ["$2b$nonsense", "{SSHA}***", "{SHA}x", "$apr1$only"])
def test_a_broken_hash_fits_nothing(broken: str) -> None:
    assert not verify("secret", broken)


def test_parse() -> None:
    text = "# comment\n\nalice:secret\nbob:{SHA}x:y\nalice:newer\n"
    assert parse(text) == {"alice": "newer", "bob": "{SHA}x:y"}


def test_slowest() -> None:
    dear = "$2y$12$x"
    assert slowest(["plain", "$2y$05$x", dear, "$apr1$x"]) == dear
    assert slowest(["plain", "$apr1$x"]) == "$apr1$x"
    assert not slowest([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alice:x\nbob", "line 2: expected user:password"),
        ("alice:x\nbob:", "line 2: a user without a password"),
        ("alice:$6$salt$hash", "line 1: crypt hashes are not supported"),
        ("alice:$argon2id$v=19$m=1,t=1,p=1$a$b", "line 1: crypt hashes are not supported"),
        ("alice:$y$j9T$salt$hash", "line 1: crypt hashes are not supported"),
    ],
)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)
