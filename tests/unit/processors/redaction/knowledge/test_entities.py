"""Choosing entity types."""

from __future__ import annotations

import pytest

from processors.redaction.knowledge.entities import load_types, select_entities

EVERY = set(load_types())
DEFAULT = {name for name, entity in load_types().items() if entity.default}


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("all", EVERY),
        ("default", DEFAULT),
        (["default", "IP_ADDRESS"], DEFAULT | {"IP_ADDRESS"}),
        (["all", "-PHONE"], EVERY - {"PHONE"}),
        (["-PHONE"], DEFAULT - {"PHONE"}),
        (["EMAIL", "SECRET"], {"EMAIL", "SECRET"}),
        ([], set()),
    ],
)
def test_selection(wanted: str | list[str], chosen: set[str]) -> None:
    assert select_entities(wanted) == chosen


def test_default_policy_leaves_names_addresses_and_machines_alone() -> None:
    assert {"SECRET", "PASSWORD", "EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "US_SSN", "JP_MY_NUMBER"} <= DEFAULT
    assert DEFAULT.isdisjoint({"IP_ADDRESS", "MAC_ADDRESS", "PERSON", "ADDRESS", "DATE_OF_BIRTH", "JP_POSTAL_CODE"})


@pytest.mark.parametrize(("name", "hint"), [("EMIAL", 'did you mean "EMAIL"'), ("-zzz", "known: all, default")])
def test_an_unknown_type_is_an_error_that_helps(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        select_entities([name])
