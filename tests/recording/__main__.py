"""Record the telemetry of a real library: `make record NAME=<driver>`, or `python -m tests.recording <driver>`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from tests.recording.driver import Driver, drivers
from tests.recording.manifest import update_manifest
from tests.recording.recorder import record
from tests.recording.scenarios import load_scenarios

_CAPTURES: Final = Path(__file__).parents[1] / "data" / "captures"


def main() -> None:
    """Install the driver's packages, run its scenarios, write the recordings."""
    parser = argparse.ArgumentParser(prog="python -m tests.recording", description=__doc__)
    parser.add_argument("driver", choices=[driver.name for driver in drivers()])
    parser.add_argument("--scenario", action="append", help="only this one (repeatable)")
    parser.add_argument("--variant", help="only this folder of recordings")
    parser.add_argument("--out", type=Path, default=_CAPTURES, help="folder of the folders of recordings")
    options = parser.parse_args()
    driver = Driver.load(options.driver)
    driver.install()
    known = load_scenarios()
    for folder, (names, settings) in driver.runs().items():
        if options.variant in {None, folder}:
            chosen = [known[name] for name in names if name in (options.scenario or names)]
            for line in record(driver, chosen, options.out / folder, settings):
                print(f"{folder}: {line}", flush=True)
    update_manifest(options.out)


if __name__ == "__main__":
    main()
