"""Base64 of text is found wherever it stands, words and images are not; it is written again as it was."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.texts.base64_text import blob_finder

BLOBS = blob_finder()
TEXTS = [
    "my mail is jane.sample@example.com, ok",
    "電話は090-1234-5678です。よろしく",
    "Jürgen Müller wohnt in Köln, Straße 5",
    "전화 번호는 010-1234-5678 입니다",
    '{"key": "値", "mail": "a@b.co"}',
    "😀 hello, mail x@y.com",
    "-----BEGIN CERTIFICATE-----\nMIIB\n",
]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "around", ["{}", "/files/{}/raw", "data:text/plain;base64,{} x", '{{"a": "{}"}}', "a\\n{}", "日{}本"]
)
def test_text_is_found_in_either_alphabet(text: str, around: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        blob = encode(text.encode()).decode()
        for run in {blob, blob.rstrip("=")}:
            found = list(BLOBS(around.format(run)))
            assert [item.text for item in found] == [text]
            assert found[0].encode(text) == run


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_is_cut_off_is_found_as_far_as_it_goes(text: str) -> None:
    blob = _encoded(text)
    for size in range(24, len(blob.rstrip("="))):
        (found,) = BLOBS(blob[:size])
        assert text.startswith(found.text)
        assert len(found.text) >= len(text.encode()[: size * 3 // 4].decode(errors="ignore"))


def test_wrapped_lines_stay_wrapped() -> None:
    text = "some words of a longer text " * 10
    blob = base64.encodebytes(text.encode()).decode()
    (found,) = BLOBS(blob)
    assert found.text == text
    assert found.encode(text) == blob.rstrip("\n")


def test_a_short_value_in_a_data_url() -> None:
    assert [blob.text for blob in BLOBS("data:;base64,MDkwLTEyMzQ=")] == ["090-1234"]


@pytest.mark.parametrize(
    "text",
    [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "call_9f8E7d6C5b4A3z2Y1x0W9v8U",
        "AbstractSingletonProxyFactoryBeanConfigurer",
        "/usr/lib/python3/dist-packages/something/else/entirely",
        "chatcmpl-ARm8zfDNUmbm1HlR3a6IrhJsO2ErB",
        base64.b64encode(random.Random(1).randbytes(50_000)).decode(),
        f"data:image/png;base64,{base64.b64encode(bytes.fromhex('89504e470d0a1a0a') + bytes(5000)).decode()}",
    ],
)
def test_words_and_images_are_no_text(text: str) -> None:
    assert list(BLOBS(text)) == []


@given(st.text(), st.text(alphabet="abc ./-_+=\n"))
def test_any_text_comes_back(text: str, around: str) -> None:
    for blob in BLOBS(f"{around}{_encoded(text)}{around}"):
        assert blob.encode(blob.text)


def test_commands_that_powershell_takes_encoded() -> None:
    command = "Send-Mail jane.sample@example.com 名前"
    run = base64.b64encode(command.encode("utf-16-le")).decode()
    (found,) = BLOBS(f"powershell -enc {run} -x")
    assert found.text == command
    assert found.encode(command) == run
