"""Memory of `tail_sampling` in the real process, in seconds; `tests.benchmarks.sampling_memory` is the long form."""

from __future__ import annotations

from tests.benchmarks.sampling_memory import BAR, Load, run


def test_the_buffer_bounds_the_memory_of_the_process() -> None:
    # Three times the bytes that there is memory for, of traces that are all to wait.
    result = run(Load(seconds=6, spans_per_s=2500, buffer_mib=48, wait_s=60))
    assert result.ratio <= BAR
    # It was full.
    assert result.ratio > BAR / 2
