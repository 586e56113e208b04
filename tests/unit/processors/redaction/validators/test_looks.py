"""How credentials look: what is told apart before the exact expressions are asked."""

from __future__ import annotations

import pytest

from processors.redaction.validators import looks


@pytest.mark.parametrize(
    "text",
    [
        "kkkkkkA1",
        "YOUR-key",
        "key-HERE",
        "PlaceHolder",
        "change_me",
        "Redacted1",
        "${A}",
        "$(A)",
        "{{a",
        "a}}",
        "%(a",
        "<a",
        "a>",
        "%s",
        "***",
        "a...",
        "a…",
        "[abc]",
        "x",
        "XXX",
        "ENC[a",
        "{cipher}a",
        "$ANSIBLE_VAULT",
        "a#{b",
        "\\x1b",
        "\\033",
        "..\n\n\n\n\n\n",
    ],
)
def test_every_kind_of_stand_in_is_told(text: str) -> None:
    assert looks._STAND_IN.search(text) is not None
    assert looks.is_stand_in(text) == (looks._STAND_IN.search(text) is not None)


_TECHNICAL = (
    "SHA-1 md5 base64 int8 Float32 utf-8 ipv4 x86 x64 amd64 arm64 win32 oauth2 http2 x509 pkcs12 ed25519 Curve25519 "
    "secp256k1 aes-128 rsa4096 es256 rs256 hs256 mp3 h264 log4j i18n j18n k18n v2 2024-01-02 2024/01/02 2024_01_02"
)


@pytest.mark.parametrize("text", _TECHNICAL.split())
def test_every_technical_name_is_told(text: str) -> None:
    assert looks._TECHNICAL.search(text) is not None
    assert looks._TECHNICAL_HINT.search(text.lower()) is not None


@pytest.mark.parametrize(
    ("text", "changes"), [("aB1cD", 4), ("Hello", 0), ("HELLOworld", 0), ("a-B-1", 0), ("é1", 0), ("1a", 1)]
)
def test_changes_of_case_are_counted_inside_words(text: str, changes: int) -> None:
    assert looks._case_changes(text) == changes
