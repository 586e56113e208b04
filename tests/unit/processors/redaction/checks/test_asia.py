"""Numbers of Asia, Africa and Oceania, with published examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from processors.redaction.checks import CHECKS

# Examples of the issuing authorities and of public registers, or made with the published check digit.
VALID = [
    ("aadhaar", "234123412346"),
    ("au_business", "51824753556"),
    ("au_business", "83914571673"),
    ("au_company", "004085616"),
    ("au_company", "005499981"),
    ("au_medicare", "2123456701"),
    ("au_tax_file", "123456782"),
    ("au_tax_file", "876543210"),
    ("cn_resident", "11010519491231002X"),
    ("gstin", "27AAPFU0939F1ZV"),
    ("gstin", "29AAGCB7383J1Z4"),
    ("hk_identity", "A1234563"),
    ("hk_identity", "G123456A"),
    ("hk_identity", "AB9876543"),
    ("kr_business", "1168200276"),
    ("kr_business", "1348672683"),
    ("kr_foreigner", "0509126000012"),
    ("kr_resident", "9710139019902"),
    ("kr_resident", "0509122000019"),
    ("sg_nric", "F1234567N"),
    ("sg_nric", "G1234567X"),
    ("sg_nric", "M1234567K"),
    ("sg_nric", "S1234567D"),
    ("sg_nric", "T1234567J"),
    ("th_identity", "1234567890121"),
    ("tw_national", "A123456789"),
    ("za_identity", "8001015009087"),
]

# Sums of which a change of one digit is always seen.
STRONG = [
    pair
    for pair in VALID
    if pair[0] in ("aadhaar", "au_business", "au_tax_file", "cn_resident", "gstin", "za_identity")
]


def changed(value: str, last: int) -> Iterator[str]:
    for index, character in enumerate(value[:last]):
        if character.isdigit():
            for digit in "0123456789":
                if digit != character:
                    yield value[:index] + digit + value[index + 1 :]


@pytest.mark.parametrize(("check", "value"), VALID)
def test_published_numbers_are_valid(check: str, value: str) -> None:
    assert CHECKS[check](value)


@pytest.mark.parametrize(("check", "value"), STRONG)
def test_no_number_with_another_digit_is_valid(check: str, value: str) -> None:
    wrong = [other for other in changed(value, len(value)) if CHECKS[check](other)]
    assert wrong == []


@pytest.mark.parametrize(("check", "value"), [pair for pair in VALID if pair[0] != "au_medicare"])
def test_another_check_digit_is_refused(check: str, value: str) -> None:
    replaced = "0" if value[-1] != "0" else "1"
    if check == "au_company":
        assert all(not CHECKS[check](value[:-1] + digit) for digit in "0123456789" if digit != value[-1])
    assert not CHECKS[check](value[:-1] + replaced)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        ("aadhaar", "234123412347"),
        ("au_company", "000000000"),
        ("au_medicare", "1123456701"),
        ("au_tax_file", "000000000"),
        ("cn_resident", "11010519491331002X"),
        ("cn_resident", "99010519491231002X"),
        ("kr_foreigner", "9111241678906"),
        ("kr_resident", "9601215021413"),
        ("kr_resident_shape", "9602301234567"),
        ("no_article", "4006381333931"),
        ("no_milliseconds", "1712345678123"),
        ("th_identity", "0234567890123"),
        ("th_province", "1284567890121"),
        ("za_identity", "8001015009977"),
        ("za_identity", "8013015009087"),
    ],
)
def test_numbers_that_nobody_issues_are_refused(check: str, value: str) -> None:
    assert not CHECKS[check](value)


def test_a_date_that_is_only_a_shape_is_enough_where_a_name_stands_beside_it() -> None:
    assert CHECKS["kr_resident_shape"]("9601211234567")
    assert CHECKS["kr_foreigner_shape"]("9111245678901")
    assert not CHECKS["kr_resident"]("9601211234567")
