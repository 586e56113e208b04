"""Exact checks behind the patterns, by the names that rule files use."""

from typing import Final

from processors.redaction.knowledge.rule import Validator
from processors.redaction.validators import address, free, numbers, phones, secrets, wallets

VALIDATORS: Final[dict[str, Validator]] = {
    **address.VALIDATORS,
    **free.VALIDATORS,
    **numbers.VALIDATORS,
    **phones.VALIDATORS,
    **secrets.VALIDATORS,
    **wallets.VALIDATORS,
}
