"""Numbers of the Americas, with published examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from processors.redaction.checks import CHECKS

VALID = [
    ("ar_cuit", "20267565393"),
    ("ar_cuit", "30500010912"),
    ("br_cnpj", "11222333000181"),
    ("br_cnpj", "12ABC34501DE35"),
    ("br_cpf", "11144477735"),
    ("br_cpf", "52998224725"),
    ("ca_sin", "046454286"),
    ("ca_sin", "130692544"),
    ("cl_rut", "125319092"),
    ("cl_rut", "10000013K"),
    ("mx_curp", "BOXW310820HNERXN09"),
    ("us_aba", "111000025"),
    ("us_aba", "121000358"),
    ("us_ein", "911144442"),
    ("us_itin", "912903456"),
    ("us_npi", "1234567893"),
    ("us_npi", "1245319599"),
    ("us_ssn", "078051120"),
    ("us_ssn", "536904399"),
]

# Sums of which a change of one digit is always seen.
STRONG = [pair for pair in VALID if pair[0] in ("br_cnpj", "br_cpf", "ca_sin", "us_aba", "us_npi")]


def changed(value: str) -> Iterator[str]:
    for index, character in enumerate(value):
        if character.isdigit():
            yield from (value[:index] + digit + value[index + 1 :] for digit in set("0123456789") - {character})


@pytest.mark.parametrize(("check", "value"), VALID)
def test_published_numbers_are_valid(check: str, value: str) -> None:
    assert CHECKS[check](value)


@pytest.mark.parametrize(("check", "value"), STRONG)
def test_a_change_of_one_digit_is_seen(check: str, value: str) -> None:
    assert [other for other in changed(value) if CHECKS[check](other)] == []


@pytest.mark.parametrize(
    ("check", "value"),
    [
        ("ar_cuit", "20267565392"),
        ("ar_cuit", "21267565393"),
        ("br_cnpj", "00000000000000"),
        ("br_cnpj", "12ABC34501DEAB"),
        ("br_cpf", "11111111111"),
        ("ca_sin", "000000000"),
        ("cl_rut", "125319093"),
        ("cl_rut", "111111111"),
        ("mx_curp", "BOXW310820HNERXN08"),
        ("mx_curp_date", "BOXW311320HNERXN09"),
        ("us_aba", "500000000"),
        ("us_aba", "000000000"),
        ("us_ein", "071144442"),
        ("us_ein", "111111111"),
        ("us_itin", "912493456"),
        ("us_itin", "812703456"),
        ("us_npi", "3234567893"),
        ("us_ssn", "666121234"),
        ("us_ssn", "900121234"),
        ("us_ssn", "123001234"),
        ("us_ssn", "123120000"),
    ],
)
def test_numbers_that_nobody_has(check: str, value: str) -> None:
    assert not CHECKS[check](value)
