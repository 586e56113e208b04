"""Record the telemetry of a real library: `make record NAME=<driver>`, or `python -m tests.recording <driver>`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from tests.recording.driver import Driver
from tests.recording.recorder import record
from tests.recording.scenarios import load_scenarios

_CAPTURES: Final = Path(__file__).parents[1] / "data" / "captures"


def main() -> None:
    """Install the driver's packages, run its scenarios, write the recordings."""
    parser = argparse.ArgumentParser(prog="python -m tests.recording", description=__doc__)
    parser.add_argument("driver")
    parser.add_argument("--scenario", action="append", help="only this one (repeatable)")
    parser.add_argument("--out", type=Path, help="folder of recordings; default: tests/data/captures/<dialect>")
    options = parser.parse_args()
    driver = Driver.load(options.driver)
    driver.install()
    known = load_scenarios()
    names: list[str] = options.scenario or driver.recording["scenarios"]
    folder = options.out or _CAPTURES / driver.recording.get("folder", driver.name)
    for line in record(driver, [known[name] for name in names], folder):
        print(line, flush=True)


if __name__ == "__main__":
    main()
