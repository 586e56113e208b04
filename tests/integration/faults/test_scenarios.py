"""Every scenario of the fault runner in its short form, on Penstock; `make eval-faults` runs the long ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.integration.faults import __main__ as runner
from tests.integration.faults.bench import Bench
from tests.integration.faults.catalog import SCENARIOS, Scenario
from tests.servers.kafka.broker import Broker

OURS = [scenario for scenario in SCENARIOS if "penstock" in scenario.collectors and scenario.is_quick]


@pytest.mark.server
@pytest.mark.parametrize("scenario", OURS, ids=[scenario.name for scenario in OURS])
def test_nothing_that_was_acknowledged_is_lost(
    scenario: Scenario, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    def shared() -> Broker:
        running: Broker = request.getfixturevalue("kafka_broker")
        return running

    bench = Bench("penstock", tmp_path / tmp_path.name, shared, **scenario.short.keys())
    assert scenario.run(bench).verdict() == []


def test_a_run_of_no_scenario_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["faults", "--only", "sampling"])
    with pytest.raises(SystemExit) as ended:
        runner.main()
    assert ended.value.code == 2
    assert "no scenario has a name that is 'sampling'" in capsys.readouterr().err
