"""The types of policies. A type is one module, and one line here (or in `policy_config` where it has others inside)."""

from __future__ import annotations

from typing import Final

from processors.tail_sampling.policies.agent import Agent
from processors.tail_sampling.policies.always_sample import AlwaysSample
from processors.tail_sampling.policies.attribute import Attribute
from processors.tail_sampling.policies.coverage import Coverage
from processors.tail_sampling.policies.latency import Latency
from processors.tail_sampling.policies.limiting import BytesLimiting, RateLimiting
from processors.tail_sampling.policies.probabilistic import Probabilistic
from processors.tail_sampling.policies.rare import Rare
from processors.tail_sampling.policies.span_count import SpanCount
from processors.tail_sampling.policies.status_code import StatusCode
from processors.tail_sampling.policies.trace_context import TraceFlags, TraceStatePolicy
from processors.tail_sampling.policies.typed_attributes import BooleanAttribute, NumericAttribute, StringAttribute
from processors.tail_sampling.policies.weighted import Weighted
from processors.tail_sampling.policy import Policy

LEAVES: Final[tuple[type[Policy], ...]] = (
    AlwaysSample,
    Latency,
    NumericAttribute,
    BooleanAttribute,
    StringAttribute,
    Probabilistic,
    StatusCode,
    RateLimiting,
    BytesLimiting,
    SpanCount,
    TraceStatePolicy,
    TraceFlags,
    Attribute,
    Agent,
    Coverage,
    Rare,
    Weighted,
)
"""Those without others inside, in the order of the reference page."""
