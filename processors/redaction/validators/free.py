"""Free text: names, addresses, dates of birth."""

from typing import Final

from processors.redaction.rule import Validator

VALIDATORS: Final[dict[str, Validator]] = {}
