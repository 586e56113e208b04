"""htpasswd files: users and the hashes of their passwords (Apache httpd, "Password Formats")."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Iterable
from typing import Final

_BCRYPT: Final = ("$2a$", "$2b$", "$2x$", "$2y$")
_BCRYPT_MAX_BYTES: Final = 72
"""bcrypt reads no more of a password."""
_APR1: Final = "$apr1$"
_CRYPT64: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_APR1_ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
"""Which bytes of the digest make each group of four characters (apr_md5.c)."""
_OTHER: Final = re.compile(r"\$[0-9a-z-]+\$")
"""How hashes of other kinds begin; taken for a plain text, a hash that leaks would be a password."""


def parse(text: str) -> dict[str, str]:
    """Users and hashes of an htpasswd file; of a user who stands there twice, the last.

    Raises:
        ValueError: a line without a colon or a password, or a form of hash that is not supported; the message has the
            line's number.
    """
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()  # noqa: PLW2901 - the same line
        if not line or line.startswith("#"):
            continue
        user, colon, password = line.partition(":")
        if not colon:
            raise ValueError(f"line {number}: expected user:password")
        if not password:
            # A variable that is not set, in most cases; whoever sends no password would be let in.
            raise ValueError(f"line {number}: a user without a password")
        if _OTHER.match(password) and not password.startswith((*_BCRYPT, _APR1)):
            raise ValueError(f"line {number}: crypt hashes are not supported; make a bcrypt hash with htpasswd -B")
        if password.startswith(_BCRYPT) and not _has_bcrypt():
            raise ValueError(f'line {number}: bcrypt hashes need a library: pip install "penstock[auth]"')
        users[user] = password
    return users


def _has_bcrypt() -> bool:
    try:
        import bcrypt  # noqa: F401, PLC0415 - an optional library
    except ImportError:
        return False
    return True


def slowest(hashes: Iterable[str]) -> str:
    """Of some hashes one that takes longest to check; empty where there is none."""
    # What stands behind bcrypt's prefix is its cost, in two digits.
    return max(
        hashes, key=lambda known: known[4:6] if known.startswith(_BCRYPT) else str(int(known[:6] == _APR1)), default=""
    )


def verify(password: str, expected: str) -> bool:
    """Whether a password fits a hash (bcrypt, apr1, `{SHA}`, `{SSHA}`) or is the plain text; compares in constant time.

    Slow on purpose for bcrypt and apr1: call it in a worker thread.
    """
    raw = password.encode()
    if expected.startswith(_BCRYPT):
        return _verify_bcrypt(raw, expected)
    if expected.startswith(_APR1):
        salt = expected[len(_APR1) :].partition("$")[0]
        return hmac.compare_digest(apr1(raw, salt.encode()).encode(), expected.encode())
    if expected.startswith("{SHA}"):
        return hmac.compare_digest(b64encode(_sha1(raw)), expected[5:].encode())
    if expected.startswith("{SSHA}"):
        return _verify_ssha(raw, expected[6:])
    return hmac.compare_digest(raw, expected.encode())


def _sha1(raw: bytes) -> bytes:
    return hashlib.sha1(raw, usedforsecurity=False).digest()


def _verify_bcrypt(raw: bytes, expected: str) -> bool:
    import bcrypt  # noqa: PLC0415 - an optional library

    try:
        # $2x$ and $2y$ are PHP's names of what others call $2b$.
        return bcrypt.checkpw(raw[:_BCRYPT_MAX_BYTES], b"$2b$" + expected[4:].encode())
    except ValueError:
        return False


def _verify_ssha(raw: bytes, encoded: str) -> bool:
    try:
        decoded = b64decode(encoded, validate=True)
    except (BinasciiError, ValueError):
        return False
    digest, salt = decoded[:20], decoded[20:]
    return hmac.compare_digest(_sha1(raw + salt), digest)


def apr1(password: bytes, salt: bytes) -> str:
    """Apache's variant of MD5-crypt (apr_md5.c, `apr_md5_encode`), with its prefix and salt."""
    salt = salt[:8]
    inner = _md5(password + salt + password)
    start = password + _APR1.encode() + salt
    start += (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        start += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = _md5(start)
    for turn in range(1000):
        digest = _md5(
            (password if turn & 1 else digest)
            + (salt if turn % 3 else b"")
            + (password if turn % 7 else b"")
            + (digest if turn & 1 else password)
        )
    return f"{_APR1}{salt.decode()}${_crypt64(digest)}"


def _md5(raw: bytes) -> bytes:
    return hashlib.md5(raw, usedforsecurity=False).digest()


def _crypt64(digest: bytes) -> str:
    groups = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _APR1_ORDER]
    groups.append((digest[11], 2))
    return "".join(_CRYPT64[value >> 6 * place & 63] for value, size in groups for place in range(size))
