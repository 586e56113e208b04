"""What the price table costs at start: a fresh process builds the processor and prices a first call."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

import psutil

from pipeline import registry
from pipeline.registry import Kind
from pipeline.signals import Value
from pipeline.testing import configured, traces

LONGEST_S: Final = 0.4
MOST_MB: Final = 40.0
_ROUNDS: Final = 5
_CALL: Final[dict[str, Value]] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
}


@dataclass(frozen=True, slots=True)
class Start:
    """What is added to a collector that has all but the processor."""

    seconds: float
    rss_mb: float


def measure() -> Start:
    """Median of several fresh processes."""
    runs = [_fresh() for _ in range(_ROUNDS)]
    return Start(statistics.median(run.seconds for run in runs), statistics.median(run.rss_mb for run in runs))


def _fresh() -> Start:
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True)
    return Start(**json.loads(done.stdout))


def _here() -> Start:
    process = psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    processor = configured(registry.get(Kind.PROCESSOR, "gen_ai_cost"))
    batch = processor.process(traces(_CALL))
    seconds = time.perf_counter() - started
    assert all("penstock.cost.usd" in record.attributes for record in batch.records())
    return Start(seconds, (process.memory_info().rss - before) / 1e6)


if __name__ == "__main__":
    print(json.dumps(asdict(_here())))
