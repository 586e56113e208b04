"""Numbers of Europe, with published examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from processors.redaction.checks import CHECKS

VALID = [
    ("be_nn", "85073003328"),
    ("be_nn", "17073003384"),
    ("ch_ahv", "7569217076985"),
    ("de_health_insurance", "A123456780"),
    ("de_social_security", "15070649C103"),
    ("de_social_security", "65070803A019"),
    ("de_tax_id", "36574261809"),
    ("de_tax_id_strict", "36574261809"),
    ("de_vat", "DE136695976"),
    ("dk_cpr", "2110625628"),
    ("dk_cpr_checked", "2110625629"),
    ("es_dni", "54362315K"),
    ("es_dni", "12345678Z"),
    ("es_nie", "X2482300W"),
    ("fi_hetu", "131052308T"),
    ("fi_hetu", "010594Y9032"),
    ("fr_nir", "295109912611193"),
    ("fr_nir", "255081416802538"),
    ("fr_siret", "73282932000074"),
    ("fr_siret", "35600000049837"),
    ("it_fiscal_code", "RCCMNL83S18D969H"),
    ("it_fiscal_code", "CNTCHR83T41D969D"),
    ("it_vat", "00743110157"),
    ("nl_bsn", "111222333"),
    ("no_fnr", "15108695088"),
    ("pl_pesel", "44051401359"),
    ("pt_nif", "501964843"),
    ("se_organisation", "5560360793"),
    ("se_personnummer", "8112189876"),
    ("se_personnummer", "198803200016"),
    ("tr_national_id", "17291716060"),
    ("uk_driving_licence", "MORGA657054SM9IJ"),
    ("uk_nhs", "9434765919"),
    ("uk_nino", "AB123456C"),
]

# Sums of which a change of one digit is always seen.
STRONG = [
    pair
    for pair in VALID
    if pair[0] in ("ch_ahv", "de_vat", "es_dni", "es_nie", "fi_hetu", "it_vat", "no_fnr", "tr_national_id")
]


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
        ("be_nn", "85073003329"),
        ("ch_ahv", "7569217076984"),
        ("ch_ahv", "4006381333931"),
        ("de_health_insurance", "A123456781"),
        ("de_social_security", "15320649C103"),
        ("de_tax_id", "06574261809"),
        ("de_tax_id_strict", "12345678903"),
        ("de_vat", "DE136695977"),
        ("dk_cpr", "3210625629"),
        ("dk_cpr_checked", "2110625628"),
        ("es_dni", "00000000T"),
        ("fi_hetu", "321052308T"),
        ("fr_nir", "295139912611193"),
        ("fr_siret", "73282932000079"),
        ("it_fiscal_code", "RCCMNL83S18D969X"),
        ("it_vat", "00743110158"),
        ("nl_bsn", "000000000"),
        ("no_fnr", "15138695088"),
        ("pl_pesel", "44991401359"),
        ("pt_nif", "501964842"),
        ("se_organisation", "5501020793"),
        ("se_personnummer", "8113189876"),
        ("se_personnummer", "178803200016"),
        ("tr_national_id", "07291716060"),
        ("uk_driving_licence", "MORGA613054SM9IJ"),
        ("uk_nhs", "1111111111"),
        ("uk_nino", "GB123456A"),
    ],
)
def test_numbers_that_nobody_has(check: str, value: str) -> None:
    assert not CHECKS[check](value)
