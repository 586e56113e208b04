"""Addresses of cryptocurrencies, by their checksums."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from processors.redaction.knowledge.rule import Validator
from processors.redaction.validators.span import value_span, value_text

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_ADDRESS_BYTES: Final = 25

# Generator of the checksum, and what it must come to: Bech32 (BIP 173), Bech32m (BIP 350).
_POLYMOD: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_REMAINDERS: Final = frozenset([1, 0x2BC830A3])

# Keccak-f[1600]: round constants and, lane by lane, rotations and targets (Keccak reference 3.0, section 1.2).
_RATE_BYTES: Final = 136
_ROTATIONS: Final = (1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44)
_LANES: Final = (10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1)
_MASK: Final = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_ROUND_CONSTANTS: Final = _round_constants()


def base58check(match: re.Match[str]) -> tuple[int, int] | None:
    """Twenty-five bytes in base 58, the last four the start of the double SHA-256 of the others."""
    number = 0
    for character in value_text(match):
        number = number * 58 + _BASE58.index(character)
    if number >> (8 * _ADDRESS_BYTES):
        return None
    data = number.to_bytes(_ADDRESS_BYTES, "big")
    digest = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()
    return value_span(match) if digest[:4] == data[-4:] else None


def bech32(match: re.Match[str]) -> tuple[int, int] | None:
    """A segregated witness address in one case (BIP 173 and 350)."""
    text = value_text(match)
    if text.lower() != text != text.upper():
        return None
    prefix, _, data = text.lower().rpartition("1")
    values = [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]
    checksum = 1
    for value in values + [_BECH32.index(character) for character in data]:
        top, checksum = checksum >> 25, (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_POLYMOD):
            checksum ^= generator if top >> bit & 1 else 0
    return value_span(match) if checksum in _REMAINDERS else None


def ethereum(match: re.Match[str]) -> tuple[int, int] | None:
    """Twenty bytes in hexadecimal, not all alike; letters of both cases are the checksum of EIP-55."""
    body = value_text(match)[2:]
    if len(set(body)) <= 2:
        return None
    if body in (body.lower(), body.upper()):
        return value_span(match)
    digest = keccak_256(body.lower().encode()).hex()
    expected = [character.upper() if digest[index] > "7" else character for index, character in enumerate(body.lower())]
    return value_span(match) if body == "".join(expected) else None


def keccak_256(data: bytes) -> bytes:
    """The hash that Ethereum uses: SHA-3 as it was before the standard changed its padding."""
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % _RATE_BYTES))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for block in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            lanes[lane] ^= int.from_bytes(padded[block + 8 * lane : block + 8 * lane + 8], "little")
        _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(lanes: list[int]) -> None:
    for constant in _ROUND_CONSTANTS:
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        for index in range(25):
            lanes[index] ^= parity[(index + 4) % 5] ^ _rotated(parity[(index + 1) % 5], 1)
        moved = lanes[1]
        for lane, rotation in zip(_LANES, _ROTATIONS, strict=True):
            moved, lanes[lane] = lanes[lane], _rotated(moved, rotation)
        for row in range(0, 25, 5):
            old = lanes[row : row + 5]
            for x in range(5):
                lanes[row + x] = old[x] ^ (~old[(x + 1) % 5] & _MASK & old[(x + 2) % 5])
        lanes[0] ^= constant


def _rotated(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & _MASK


VALIDATORS: Final[dict[str, Validator]] = {
    "base58check": base58check,
    "bech32": bech32,
    "ethereum": ethereum,
}
