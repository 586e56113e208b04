"""Exact checks behind the patterns, by the names that rule files use."""

from typing import Final

from processors.redaction.rule import Validator
from processors.redaction.validators import address, numbers, phones, secrets

VALIDATORS: Final[dict[str, Validator]] = {
    "credit_card": numbers.credit_card,
    "email": address.email,
    "github_token": secrets.github_token,
    "iban": numbers.iban,
    "ip": address.ip,
    "jp_address": address.jp_address,
    "jp_my_number": numbers.jp_my_number,
    "jwt": secrets.jwt,
    "phone_international": phones.international,
    "phone_labelled": phones.labelled,
    "phone_national": phones.national,
    "phone_north_america": phones.north_america,
    "placeholder": secrets.no_placeholder,
    "random_looking": secrets.random_looking,
    "us_ssn": numbers.us_ssn,
}
