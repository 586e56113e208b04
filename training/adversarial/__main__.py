"""`python -m training.adversarial DATA`: trains the model of processor `adversarial` and writes it into the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from processors.adversarial.model.weights import PATH
from training.adversarial.training import make_task, train


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with train.jsonl.gz")
    parser.add_argument("--out", type=Path, default=PATH, help="file to write (%(default)s)")
    options = parser.parse_args()
    task, knowledge = make_task(options.data)
    weights = train(task, knowledge)
    weights.save(options.out)
    size_kib = options.out.stat().st_size / 1024
    print(f"{options.out}: version {weights.version}, {size_kib:.0f} KiB")
    print(f"{len(task.rows)} texts, {len(weights.keys)} entries of the lexicon")


if __name__ == "__main__":
    main()
