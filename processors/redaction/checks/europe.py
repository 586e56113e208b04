"""Checks: national numbers of Europe."""

from __future__ import annotations

from collections import Counter
from typing import Final

from processors.redaction.checks.common import (
    ean,
    is_date,
    is_day_of_century,
    luhn,
    mod_11_10,
    one_digit,
    weighted,
)
from processors.redaction.knowledge.rule import Check

_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_DOCUMENT_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Decree of the Ministry of Finance, 23 December 1976: values of the places with odd numbers, of 0-9 and A-Z.
_FISCAL_ODD: Final = dict(
    zip(
        _DOCUMENT_LETTERS,
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
_FISCAL_EVEN: Final = dict(zip(_DOCUMENT_LETTERS, (*range(10), *range(26)), strict=True))

_NINO_NEVER: Final = frozenset(["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"])

# Offices of the Agenzia delle Entrate: provinces, and three numbers outside of them.
_VAT_OFFICES: Final = frozenset([*range(1, 101), 120, 121, 888, 999])


def uk_nhs(digits: str) -> bool:
    """The tenth digit is 11 less the sum by weights 10 to 2 (NHS Data Dictionary)."""
    check = (11 - weighted(digits[:9], range(10, 1, -1)) % 11) % 11
    return check == int(digits[9]) and not one_digit(digits)


def uk_nino(text: str) -> bool:
    """Prefixes that are never given out (HMRC NIM39110) are none."""
    return text[:2] not in _NINO_NEVER


def uk_driving_licence(text: str) -> bool:
    """Places six to eleven are a date of birth, month plus 50 for women, its digits apart: decade, month, day, year."""
    month = int(text[6:8]) % 50
    return is_day_of_century(int(text[5] + text[10]), month, int(text[8:10]))


def de_tax_id(digits: str) -> bool:
    """ISO 7064 MOD 11,10; no leading zero (Federal Central Tax Office)."""
    return digits[0] != "0" and mod_11_10(digits)


def de_tax_id_strict(digits: str) -> bool:
    """As `de_tax_id`, and one of the first ten digits comes twice or three times, as in all numbers given out."""
    counts = sorted(Counter(digits[:10]).values())
    return de_tax_id(digits) and counts[-1] in (2, 3) and counts[-2] == 1


def de_vat(text: str) -> bool:
    """DE and nine digits without leading zero, ISO 7064 MOD 11,10."""
    return text[-9] != "0" and mod_11_10(text[-9:])


def de_social_security(text: str) -> bool:
    """Area, date of birth, letter, serial, check digit (VKVV section 2): digit sums with weights 2 1 2 5 7 1 2 ..."""
    digits = f"{text[:8]}{_DOCUMENT_LETTERS.index(text[8]) - 9:02d}{text[9:11]}"
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum([_digit_sum(int(digit) * weight) for digit, weight in zip(digits, weights, strict=True)])
    # The day of birth may be replaced by day plus 50 where numbers ran out.
    is_birth = is_day_of_century(int(text[6:8]), int(text[4:6]), int(text[2:4]) % 50 or 1)
    return is_birth and total % 10 == int(text[11])


def de_health_insurance(text: str) -> bool:
    """A letter as two digits, eight digits, check digit (SGB V section 290): digit sums with weights 1 2."""
    digits = f"{_DOCUMENT_LETTERS.index(text[0]) - 9:02d}{text[1:9]}"
    total = sum([_digit_sum(int(digit) * weight) for digit, weight in zip(digits, (1, 2) * 5, strict=True)])
    return total % 10 == int(text[9])


def fr_nir(text: str) -> bool:
    """Sex, year, month (or a code where it is unknown), thirteen places checked by 97; Corsica is 2A and 2B (INSEE)."""
    number = text[:13].replace("2A", "19").replace("2B", "18")
    month = int(text[3:5])
    known = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50
    return known and 97 - int(number) % 97 == int(text[13:])


def fr_siret(digits: str) -> bool:
    """Luhn; the establishments of La Poste (356000000) have a digit sum that is a multiple of five."""
    if one_digit(digits):
        return False
    return luhn(digits) or (digits.startswith("356000000") and _digit_sum(int(digits)) % 5 == 0)


def es_dni(text: str) -> bool:
    """The letter is the number modulo 23."""
    number = int(text[:-1])
    return number > 0 and text[-1] == _DNI_LETTERS[number % 23]


def es_nie(text: str) -> bool:
    """X, Y, Z count as 0, 1, 2 before the seven digits."""
    return text[-1] == _DNI_LETTERS[int(f"{'XYZ'.index(text[0])}{text[1:-1]}") % 23]


def it_fiscal_code(text: str) -> bool:
    """The last letter is the sum of the values of fifteen places by 26."""
    total = sum([(_FISCAL_EVEN if index % 2 else _FISCAL_ODD)[character] for index, character in enumerate(text[:15])])
    return ord(text[15]) - ord("A") == total % 26


def it_vat(digits: str) -> bool:
    """Luhn, and an office of the tax agency in places eight to ten."""
    digits = digits[-11:]
    return luhn(digits) and int(digits[7:10]) in _VAT_OFFICES


def nl_bsn(digits: str) -> bool:
    """The eleven test: weights 9 to 2, and -1 for the last digit."""
    return weighted(digits.zfill(9), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and not one_digit(digits)


def be_nn(digits: str) -> bool:
    """The last two are 97 less the nine before them by 97, with a 2 before those of births from 2000."""
    check = int(digits[9:])
    return any(97 - int(century + digits[:9]) % 97 == check for century in ("", "2")) and int(digits[2:4]) % 20 <= 12


def pt_nif(digits: str) -> bool:
    """Weights 9 to 2, by 11; the first digits that are given out."""
    check = (11 - weighted(digits[:8], range(9, 1, -1)) % 11) % 11 % 10
    return check == int(digits[8]) and digits[0] not in "04" and not one_digit(digits)


def pl_pesel(digits: str) -> bool:
    """Weights 1, 3, 7, 9; the century of the birth is added to its month (Act on population records, article 15)."""
    month = int(digits[2:4]) % 20
    is_birth = is_day_of_century(int(digits[:2]), month, int(digits[4:6]))
    return is_birth and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def se_personnummer(digits: str) -> bool:
    """A date of birth, its day plus 60 for coordination numbers, and Luhn over ten digits (Skatteverket SKV 707)."""
    number = digits[-10:]
    if len(digits) == 12 and digits[:2] not in ("18", "19", "20"):
        return False
    day = int(number[4:6])
    return luhn(number) and is_day_of_century(int(number[:2]), int(number[2:4]), day - 60 * (day > 60))


def se_organisation(digits: str) -> bool:
    """The third digit is at least 2, which tells a firm from a person; Luhn (Bolagsverket)."""
    number = digits[-10:]
    return number[2] >= "2" and number[0] in "12356789" and luhn(number)


def ch_ahv(digits: str) -> bool:
    """756 and the check digit of a GTIN."""
    return digits.startswith("756") and ean(digits)


def fi_hetu(text: str) -> bool:
    """Date of birth and individual number by 31 give the last character."""
    digits = "".join([character for character in text[:-1] if character.isdigit()])
    is_birth = is_day_of_century(int(digits[4:6]), int(digits[2:4]), int(digits[:2]))
    return is_birth and text[-1] == _HETU_LETTERS[int(digits) % 31]


def dk_cpr(digits: str) -> bool:
    """A date of birth; numbers given out since 2007 have no check digit."""
    return is_day_of_century(int(digits[4:6]), int(digits[2:4]), int(digits[:2])) and digits[6:] != "0000"


def dk_cpr_checked(digits: str) -> bool:
    """As `dk_cpr`, with the check digit of numbers given out before 2007."""
    return dk_cpr(digits) and weighted(digits, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def no_fnr(digits: str) -> bool:
    """A date (day plus 40 for D numbers, month plus 40 for help numbers) and two check digits (Skatteetaten)."""
    day, month = int(digits[:2]) % 40, int(digits[2:4]) % 40
    return (is_date(2000 + int(digits[4:6]), month, day) or is_date(1900 + int(digits[4:6]), month, day)) and (
        weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def tr_national_id(digits: str) -> bool:
    """The tenth digit from the odd and even places, the eleventh from the sum of the ten."""
    places = [int(digit) for digit in digits]
    tenth = (sum(places[0:9:2]) * 7 - sum(places[1:8:2])) % 10
    return places[0] != 0 and places[9] == tenth and sum(places[:10]) % 10 == places[10]


def _digit_sum(number: int) -> int:
    return sum([int(digit) for digit in str(number)])


CHECKS: Final[dict[str, Check]] = {
    "be_nn": be_nn,
    "ch_ahv": ch_ahv,
    "de_health_insurance": de_health_insurance,
    "de_social_security": de_social_security,
    "de_tax_id": de_tax_id,
    "de_tax_id_strict": de_tax_id_strict,
    "de_vat": de_vat,
    "dk_cpr": dk_cpr,
    "dk_cpr_checked": dk_cpr_checked,
    "es_dni": es_dni,
    "es_nie": es_nie,
    "fi_hetu": fi_hetu,
    "fr_nir": fr_nir,
    "fr_siret": fr_siret,
    "it_fiscal_code": it_fiscal_code,
    "it_vat": it_vat,
    "nl_bsn": nl_bsn,
    "no_fnr": no_fnr,
    "pl_pesel": pl_pesel,
    "pt_nif": pt_nif,
    "se_organisation": se_organisation,
    "se_personnummer": se_personnummer,
    "tr_national_id": tr_national_id,
    "uk_driving_licence": uk_driving_licence,
    "uk_nhs": uk_nhs,
    "uk_nino": uk_nino,
}
