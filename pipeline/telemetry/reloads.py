"""What is told of reloads of the configuration."""

from __future__ import annotations

from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter


class ReloadNews:
    """Logs reloads, counts them, and shows whether the configuration that runs is the one that was read last."""

    def __init__(self, meter: Meter, log: Log) -> None:
        """A configuration has been read."""
        self._log = log
        self._counts = {
            outcome: meter.counter("penstock_config_reloads", "Reloads of the configuration.", outcome=outcome)
            for outcome in ("success", "failure")
        }
        self._is_current = meter.gauge(
            "penstock_config_last_reload_successful", "0: the last reload failed, an older configuration runs."
        )
        self._is_current.set(1)

    def begun(self) -> None:
        """A reload is under way."""
        self._log.info("Config updated, restart service")

    def ended(self, problem: str = "") -> None:
        """It is over; `problem` says why the old configuration runs on."""
        self._counts["failure" if problem else "success"].inc()
        self._is_current.set(0 if problem else 1)
        if problem:
            self._log.error("Reload failed. The old configuration runs on.", error=problem)
        else:
            self._log.info("Reload done.")
