"""Every policy type of the Collector, against the tables of cases written from its documentation."""

from __future__ import annotations

from typing import Any

import pytest

from processors.tail_sampling.policies import LEAVES
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import CONTAINERS
from processors.trace_buffer.trace import Trace
from tests.support.policy_cases import DATA, Case, limit_sequences, policy_cases, rules_of, waiting

CASES = policy_cases()
THEIRS = {policy.type for policy in (*LEAVES, *CONTAINERS) if not policy.is_ours}
LIMITING = {"rate_limiting", "bytes_limiting"}
DECIDING = {"drop"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_kept(case: Case) -> None:
    rules = rules_of(case.policies)
    assert rules.decide(waiting(rules, case.trace), 0.0).kept == case.kept


@pytest.mark.parametrize("case", [case for case in CASES if case.policies[0]["type"] != "probabilistic"], ids=str)
def test_weights_change_nothing_for_what_is_certain(case: Case) -> None:
    rules = rules_of(case.policies, Setting(weighted=True))
    assert rules.decide(waiting(rules, case.trace), 0.0).kept == case.kept


def test_every_type_has_a_table() -> None:
    assert {path.stem for path in (DATA / "policies").glob("*.yaml")} == THEIRS - LIMITING - DECIDING


@pytest.mark.parametrize("sequence", limit_sequences(), ids=lambda sequence: sequence["about"])
def test_what_a_limit_lets_through(sequence: dict[str, Any]) -> None:
    rules = rules_of([sequence["policy"]], Setting(share=sequence.get("share", 1.0)))
    found = []
    for at_s, spans, _ in sequence["traces"]:
        trace = Trace(bytes(16), 0, at_s, rules.begin())
        trace.span_count, trace.size_bytes = spans, spans * sequence.get("span_bytes", 1)
        found.append([at_s, spans, rules.decide(trace, 1000.0 + at_s).kept])
    assert found == sequence["traces"]
