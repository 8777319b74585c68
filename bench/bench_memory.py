"""What a memory limit costs: weights of four times the limit, streamed, beside all resident."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import report, take_turns, texts

import gpudb
from gpudb.cli.demo import model_folder

TIMES = 4
"""The weights, in limits."""

TOLERANCE = 1e-6
"""Largest difference: batches of other sizes round float32 products in another order."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="20 texts, one round")
    args = parser.parse_args()
    column = texts(20 if args.tiny else args.texts)
    with TemporaryDirectory(prefix="gpudb-bench-") as folder, ExitStack() as stack:
        path = Path(folder) / "db"
        with gpudb.connect(path, device="numpy") as db:
            limit = db.import_model(model_folder(), "minilm").nbytes // TIMES
        runners: dict[str, Callable[[], object]] = {}
        results = []
        for most in (None, limit):
            db = stack.enter_context(gpudb.connect(path, device="numpy", memory_limit=most))
            results.append(db.embed("minilm", column))
            placed = results[-1].stats.placement
            print(
                f"{placed.mode}: {placed.needed_nbytes:,} bytes projected, {placed.runs} threads, "
                f"batches of {results[-1].stats.token_budget:,} tokens"
            )
            runners[placed.mode] = lambda db=db: db.embed("minilm", column)
        resident, streamed = (r.numpy("embedding") for r in results)
        difference = float(np.abs(resident - streamed).max())
        print(f"largest difference {difference:.1e}, allowed {TOLERANCE:.0e}")
        if difference > TOLERANCE or list(runners) != ["resident", "streamed"]:
            sys.exit("the answers or the modes are not what they should be; times mean nothing")
        print(f"{len(column)} texts, {results[0].stats.tokens} tokens, limit {limit:,} bytes")
        seconds = take_turns(runners, rounds=1 if args.tiny else args.rounds)
        print(report(seconds, len(column), "texts", "resident"))


if __name__ == "__main__":
    main()
