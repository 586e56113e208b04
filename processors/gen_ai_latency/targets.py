"""The attributes that are written, and what the decision to write them looks at."""

from __future__ import annotations

from typing import Final

TTFT: Final = "gen_ai.response.time_to_first_chunk"
TPOT: Final = "penstock.latency.time_per_output_token"
TOKENS_PER_S: Final = "penstock.latency.output_tokens_per_second"
SOURCE: Final = "penstock.latency.source"
STREAM: Final = "gen_ai.request.stream"
