"""Tests of what an origin adds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from processors.adversarial.features.measures import names
from processors.adversarial.priors import Priors
from processors.adversarial.tables import read_table
from processors.adversarial.text.view import SIGN_COUNT, Sign
from processors.adversarial.verdict import Origin
from tests.unit.processors.adversarial.models import CONCEPTS

NAMES = names(CONCEPTS)
PRIORS = Priors(NAMES)
RAISED = read_table("priors.yaml")["raised"]
NEVER_READ = [Origin.USER, Origin.SYSTEM, Origin.ASSISTANT, Origin.TOOL_CALL, Origin.OTHER]


def row_with(*concepts: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    row = np.zeros((1, len(NAMES)), np.float32)
    for concept in concepts:
        row[0, NAMES.index(concept)] = 1
    return row


def signs_with(*signs: Sign) -> list[int]:
    found = [0] * SIGN_COUNT
    for sign in signs:
        found[sign] = 1
    return found


def test_tools_and_documents_are_raised_and_nobody_else() -> None:
    assert {origin for origin in Origin if PRIORS.is_raised(origin)} == {Origin.TOOL, Origin.DOCUMENT}


@pytest.mark.parametrize(("first", "second"), list(product(RAISED["first"], RAISED["second"])))
def test_an_address_and_an_action_raise(first: str, second: str) -> None:
    assert PRIORS.raises(row_with(first, second)).tolist() == [RAISED["log_odds"]]
    assert RAISED["log_odds"] > 0


@pytest.mark.parametrize("concept", [*RAISED["first"], *RAISED["second"], "override_verb"])
def test_one_of_them_alone_does_not(concept: str) -> None:
    assert PRIORS.raises(row_with(concept)).tolist() == [0]
    assert PRIORS.raises(row_with(concept, "prior", "negation")).tolist() == [0]


def test_each_row_is_raised_by_what_is_in_it() -> None:
    both = row_with("address_to_ai", "send_verb")
    rows = np.concatenate((row_with("address_to_ai"), both, row_with("send_verb"), both))

    added = RAISED["log_odds"]
    assert PRIORS.raises(rows).tolist() == [0, added, 0, added]


@pytest.mark.parametrize("sign", [Sign.TAG_TEXT, Sign.VARIATION_TEXT])
@pytest.mark.parametrize("origin", Origin)
def test_hidden_text_is_proof_wherever_it_stands(sign: Sign, origin: Origin) -> None:
    proof = PRIORS.proof(signs_with(sign, Sign.BASE64), origin)

    assert proof is not None
    assert (proof.sign, proof.category) == (sign, "obfuscated")


@pytest.mark.parametrize("origin", [Origin.TOOL, Origin.DOCUMENT])
def test_a_chat_template_is_proof_in_what_a_model_is_given(origin: Origin) -> None:
    proof = PRIORS.proof(signs_with(Sign.CHAT_TEMPLATE), origin)

    assert proof is not None
    assert (proof.sign, proof.category) == (Sign.CHAT_TEMPLATE, "special_token")


@pytest.mark.parametrize("origin", NEVER_READ)
def test_a_chat_template_of_anybody_else_is_none(origin: Origin) -> None:
    assert PRIORS.proof(signs_with(Sign.CHAT_TEMPLATE), origin) is None


@pytest.mark.parametrize("origin", Origin)
def test_no_other_sign_is_proof(origin: Origin) -> None:
    others = set(Sign) - {Sign.TAG_TEXT, Sign.VARIATION_TEXT, Sign.CHAT_TEMPLATE}

    assert PRIORS.proof(signs_with(*others), origin) is None
    assert PRIORS.proof(signs_with(), origin) is None


def test_a_model_without_the_concepts_cannot_be_used() -> None:
    with pytest.raises(ValueError, match="address_to_ai"):
        Priors(["ngrams", "length"])
