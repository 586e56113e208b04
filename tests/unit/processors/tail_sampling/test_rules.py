"""What becomes of a trace when several policies speak."""

from __future__ import annotations

import pytest

from processors.sampling.thresholds import threshold_digits
from processors.tail_sampling.policy import Setting
from tests.support.policy_cases import Case, decision_cases, rules_of, waiting


@pytest.mark.parametrize("case", decision_cases(), ids=lambda case: case.about)
def test_decision(case: Case) -> None:
    weighted = case.options.get("weights", False)
    setting = Setting(weighted=weighted, legacy_invert_match=case.options.get("legacy_invert_match", False))
    first = case.options.get("sample_on_first_match", False)
    rules = rules_of(case.policies, setting, sample_on_first_match=first)
    decision = rules.decide(waiting(rules, case.trace), 0.0)
    assert (decision.kept, decision.rule) == (case.kept, case.rule)
    if weighted:
        assert case.threshold == ("" if decision.threshold is None else threshold_digits(decision.threshold))
