"""How true the story is that sampled traces tell: `make eval-sampling`.

Prints a table of goals; exit status 1 when one is missed. `--write FILE` writes the page of the docs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.report import table
from tests.evaluation.sampling.goals import Goal
from tests.evaluation.sampling.rates import fairness, step
from tests.evaluation.sampling.truth import SPANS_PER_SECOND, TRACES_PER_SECOND, truth
from tests.evaluation.sampling.wholeness import wholeness

_COLUMNS: Final = ("what", "measured", "goal", "reached")
_PAGE: Final = """# What is kept, and how true its story is, measured

Simulated traffic of LLM applications with known totals went through the real sampler (`tail_sampling`, decided when a
trace is over) with a clock of its own: `make eval-sampling EVAL_ARGS="--write FILE"` wrote this page. A short form
runs in every run of the tests.

The traffic: 50 tenants and 200 prompt templates, as unequal as words (Zipf, exponent 1.1); {rate} traces a second with
three bursts of three times that; costs and tokens with a heavy tail (log-normal, sigma 1.6); 1 % errors, 0.2 % flagged,
0.5 % badly judged; late and repeated spans, roots that never come, wrong clocks; three tenths of the traces belong to
conversations, which share one fate; a tenth was sampled before, with a threshold. The policies: a budget of {budget:g}
spans a second over errors, flagged and badly judged traces (kept for certain), `weighted` by cost (2 traces a second),
and a baseline (1 %, relative to the others).

Estimates: every kept trace counts as many times as its `penstock.sampling.adjusted_count` says, 1 / pi (Horvitz and
Thompson 1952). The variance of a sum is estimated by the sum over pairs of kept traces of (1 - pi_i pi_j / pi_ij) z_i
z_j, with z = y / pi. Traces that are drawn independently leave only (1 - pi) z^2 of each (Poisson sampling; Saerndal,
Swensson and Wretman 1992, 3.5); of two traces of one conversation, pi_ij is the smaller of the two. The interval is the
estimate and 1.96 standard errors on either side.

{table}

A trace whose evidence comes only when it has been decided (here: more than ten seconds behind its first span) follows
the decision that was made without it, and is not among those that have to be kept.
"""


def report(traces: int, draws: int) -> Iterator[list[Goal]]:
    """All goals, one subject after the other."""
    yield truth(traces, draws)
    yield wholeness(traces // 10, 100_000)
    yield fairness(330)
    yield step((0.0, 0.2, 0.5, 0.9), 1.0)


def main() -> int:
    """Print the table; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="page of the docs to write")
    parser.add_argument("--traces", type=int, default=40_000)
    parser.add_argument("--draws", type=int, default=1000)
    arguments = parser.parse_args()
    goals: list[Goal] = []
    for found in report(arguments.traces, arguments.draws):
        goals += found
        sys.stdout.write(table(_COLUMNS, [goal.row() for goal in found]) + "\n\n")
        sys.stdout.flush()
    text = table(_COLUMNS, [goal.row() for goal in goals])
    if arguments.write is not None:
        page = _PAGE.format(table=text, rate=TRACES_PER_SECOND, budget=SPANS_PER_SECOND)
        arguments.write.write_text(page, encoding="utf-8")
    return 0 if all(goal.is_reached for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
