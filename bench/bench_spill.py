"""What it costs to run a tensor expression in parts, within a memory limit."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import report, take_turns

import gpudb
from gpudb.errors import MemoryBudgetError

TOLERANCE = 1e-4
"""Largest difference between two orders of adding 1,024 float32 products of order one."""

EXPRESSIONS = {
    "elementwise": lambda x, w: (x * x + x).map("tanh") - x,
    "elementwise, then a product": lambda x, w: ((x * x + x).map("tanh") - x) @ w,
    "product": lambda x, w: x @ w,
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="4,096 rows, one round")
    args = parser.parse_args()
    rows = 4096 if args.tiny else args.rows
    with TemporaryDirectory() as folder:
        nbytes = store(Path(folder) / "db", rows)
        for name in EXPRESSIONS:
            compare(Path(folder) / "db", name, nbytes, 1 if args.tiny else args.rounds)


def store(folder: Path, rows: int) -> int:
    """Store x (rows × 1024) and w (1024 × 256); bytes of x."""
    random = np.random.default_rng(0)
    with gpudb.connect(folder, device="numpy") as db:
        x = random.standard_normal((rows, 1024), np.float32)
        db.create_tensor("x", x)
        db.create_tensor("w", random.standard_normal((1024, 256), np.float32) / 32)
        return x.nbytes


def compare(folder: Path, name: str, nbytes: int, rounds: int) -> None:
    """Time one expression with more and less memory than its tensors have."""
    limits = {
        "resident": None,
        "limit 1.5 × x": nbytes * 3 // 2,
        "limit x / 2": nbytes // 2,
    }
    runners, results = {}, {}
    with ExitStack() as opened:
        for label, limit in limits.items():
            connected = gpudb.connect(folder, device="numpy", memory_limit=limit)
            db = opened.enter_context(connected)
            expression = EXPRESSIONS[name](db.tensor("x"), db.tensor("w"))
            try:
                results[label] = expression.collect()
            except MemoryBudgetError:
                continue  # the dense result alone is larger
            runners[label] = expression.collect
        difference = max(float(np.abs(r - results["resident"]).max()) for r in results.values())
        print(f"{name}: x has {nbytes:,} bytes; largest difference {difference:.1e}")
        if difference > TOLERANCE:
            sys.exit("the answers differ; timing them would mean nothing")
        results.clear()
        print(report(take_turns(runners, rounds), 1, "runs", "resident"))


if __name__ == "__main__":
    main()
