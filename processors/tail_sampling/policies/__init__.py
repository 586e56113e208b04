"""The types of policies. A type is one module, and one line here (or in `policy_config` where it has others inside)."""

from __future__ import annotations

from typing import Final

from processors.tail_sampling.policies.always_sample import AlwaysSample
from processors.tail_sampling.policies.status_code import StatusCode
from processors.tail_sampling.policy import Policy

LEAVES: Final[tuple[type[Policy], ...]] = (
    AlwaysSample,
    StatusCode,
)
"""Those without others inside, in the order of the reference page."""
