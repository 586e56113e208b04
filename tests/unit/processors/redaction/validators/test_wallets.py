"""Wallets, with the examples of the specifications."""

from __future__ import annotations

import re

import pytest

from processors.redaction.validators.wallets import VALIDATORS, keccak_256

_ALL = re.compile(r".+")


def accepted(validator: str, text: str) -> bool:
    match = _ALL.fullmatch(text)
    assert match is not None
    return VALIDATORS[validator](match) == (0, len(text))


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak(data: bytes, digest: str) -> None:
    assert keccak_256(data).hex() == digest


def test_keccak_of_whole_and_several_blocks() -> None:
    assert len({keccak_256(b"a" * size) for size in (135, 136, 137, 272)}) == 4


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
)
def test_ethereum_examples_of_eip_55(address: str) -> None:
    assert accepted("ethereum", address)


def test_ethereum_with_a_letter_in_the_wrong_case() -> None:
    assert not accepted("ethereum", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD")
    assert not accepted("ethereum", "0x" + "0" * 40)


@pytest.mark.parametrize(
    "address",
    [
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ],
)
def test_bech32_examples_of_bip_173_and_350(address: str) -> None:
    assert accepted("bech32", address)


def test_bech32_with_an_error_or_both_cases() -> None:
    assert not accepted("bech32", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")
    assert not accepted("bech32", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3t4")


def test_base58check() -> None:
    assert accepted("base58check", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
    assert accepted("base58check", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy")
    assert not accepted("base58check", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3")
    assert not accepted("base58check", "z" * 40)
