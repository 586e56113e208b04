"""`status_code`: traces with a span of one of these statuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field, field_validator

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts

_BITS: Final = {"UNSET": 1, "OK": 2, "ERROR": 4}


class StatusCodeConfig(ConfigModel):
    """Which statuses."""

    status_codes: tuple[Literal["OK", "ERROR", "UNSET"], ...] = Field(
        description="Statuses; one span with one of them is enough."
    )

    @field_validator("status_codes")
    @classmethod
    def _is_there(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("expected at least one status code to filter on")
        return value


class StatusCode(Policy):
    """Keeps traces in which some span has one of the statuses."""

    type = "status_code"
    Config = StatusCodeConfig
    is_instant = True
    is_stateless = True

    def __init__(self, name: str, config: StatusCodeConfig, setting: Setting) -> None:
        """Look for any of the configured statuses."""
        super().__init__(name, config, setting)
        self._wanted = sum(_BITS[code] for code in set(config.status_codes))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where a span had such a status."""
        return ALWAYS if trace.status_codes & self._wanted else NEVER

    def thresholds(self, traces: Sequence[TraceFacts], now_s: float) -> list[int]:
        """See `Policy`."""
        wanted = self._wanted
        return [ALWAYS if trace.status_codes & wanted else NEVER for trace in traces]
