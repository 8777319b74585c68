"""Every operator of an encoder, fused and relational, by NumPy and compiled: how near its ceiling.

The rows are the steps of EXPLAIN ANALYZE over a real model, alike ones together; the ceilings are
measured first, in the same process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from common import save, take_turns, texts

import gpudb
from gpudb.cli.demo import model_folder
from gpudb.cli.devices import available
from gpudb.cli.measure import measure
from gpudb.machine import write_ceilings
from gpudb.report import StepReport

PLAIN = "numpy float32"
FORMS = {"fused": 300, "relational": 8}
"""Execution -> texts: the relational form is for looking at, it takes far longer."""
BLOCK = 128
QUERY = "EXPLAIN ANALYZE SELECT embed('minilm', text) AS vector FROM docs"
COSINE = {"float32": 1 - 1e-6, "bfloat16": 0.999, "int8": 0.98}
"""Least cosine with NumPy's vectors in that precision."""


@dataclass(frozen=True, order=True)
class Kind:
    """Steps that do the same work in every layer."""

    first: int
    """Number of the first of them, which orders the table."""
    operator: str
    detail: str
    result: str


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for operators.json")
    parser.add_argument("--tiny", action="store_true", help="a few texts, one round")
    args = parser.parse_args()
    with TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        write_ceilings(measure(repeats=1) if args.tiny else measure())
        seconds = {}
        for form, count in FORMS.items():
            column = texts(3 if args.tiny else count)
            seconds |= run(form, column, args.threads, 1 if args.tiny else args.rounds)
    if args.out is not None:
        save(args.out, "operators", seconds, threads=args.threads)


def run(form: str, column: list[str], threads: int, rounds: int) -> dict[str, dict[str, list]]:
    """Measure one form on every device and precision, and print its table."""
    reports: dict[str, list[tuple[StepReport, ...]]] = defaultdict(list)
    runners: dict[str, Callable[[], object]] = {}
    with ExitStack() as stack:
        expected = None
        for device, precision in available("numpy", "jit"):
            if form == "relational" and precision != "float32":
                continue  # blocks are not packed: they are multiplied in float32
            db = stack.enter_context(
                gpudb.connect(device=device, precision=precision, threads=threads, history=False)
            )
            db.import_model(model_folder(), "minilm")
            db.create_table("docs", pa.table({"text": column}))
            db.set(execution=form, block_size=BLOCK)
            vectors = db.embed("minilm", column).numpy("embedding")
            expected = vectors if expected is None else expected
            cosine = float(np.sum(vectors * expected, axis=1).min())
            if not cosine >= COSINE[precision]:
                sys.exit(f"{form}, {device} {precision}: cosine {cosine:.6f} with NumPy's vectors")
            name = f"{device} {precision}"
            runners[name] = lambda db=db, name=name: reports[name].append(
                db.sql(QUERY).report.plans[0].steps
            )
        take_turns(runners, rounds)
    print(f"\n{form}: {len(column)} texts, {threads} threads, medians of {rounds} rounds")
    counted = {name: [by_kind(steps) for steps in made[1:]] for name, made in reports.items()}
    print("\n".join(table(counted)))
    return {
        f"{form}: {kind.operator} {kind.detail} {kind.result}".replace("  ", " "): {
            name: [seconds_of(groups[kind]) for groups in measured]
            for name, measured in counted.items()
            if kind in measured[0]
        }
        for kind in sorted({kind for measured in counted.values() for kind in measured[0]})
    }


def by_kind(steps: tuple[StepReport, ...]) -> dict[Kind, list[StepReport]]:
    groups: dict[tuple[str, ...], list[StepReport]] = defaultdict(list)
    for step in steps:
        result = step.result.partition(" in ")[0].removesuffix(" float32")
        groups[step.operator, step.detail, result].append(step)
    return {Kind(alike[0].number, *names): alike for names, alike in groups.items()}


def seconds_of(steps: list[StepReport]) -> float:
    return sum(step.seconds or 0.0 for step in steps)


def table(counted: dict[str, list[dict[Kind, list[StepReport]]]]) -> list[str]:
    """Lines: of each kind of step, every runner's time, rate and share of its ceiling."""
    lines = [
        f"{'operator':<21} {'detail':<17} {'result':<18} {'steps':>5} {'GFLOP':>8} {'MB':>8} "
        f"{'runner':<14} {'ms':>9} {'share':>6} {'of ceiling':>13} {'speed-up':>8}"
    ]
    for kind in sorted({kind for measured in counted.values() for kind in measured[0]}):
        for name, measured in counted.items():
            if kind not in measured[0]:
                continue
            steps = measured[0][kind]
            seconds = statistics.median(seconds_of(groups[kind]) for groups in measured)
            whole = statistics.median(sum(map(seconds_of, groups.values())) for groups in measured)
            flops = sum(step.flops or 0 for step in steps) / 1e9
            moved = sum((s.read_nbytes or 0) + (s.written_nbytes or 0) for s in steps) / 1e6
            reached = [
                sum((s.ceiling_share or 0) * (s.seconds or 0) for s in groups[kind])
                / seconds_of(groups[kind])
                for groups in measured
            ]
            ceiling = f"{statistics.median(reached):.0%} {steps[0].limited_by or ''}"
            lines.append(
                f"{kind.operator:<21} {kind.detail[:17]:<17} {kind.result[:18]:<18} "
                f"{len(steps):>5} {flops:>8.2f} {moved:>8.1f} {name:<14} {seconds * 1e3:>9.2f} "
                f"{seconds / whole:>6.1%} {ceiling:>13} {speedup(kind, counted, name):>8}"
            )
    return lines


def speedup(kind: Kind, counted: dict[str, list[dict[Kind, list[StepReport]]]], name: str) -> str:
    """NumPy's time over the runner's, median of the rounds; "-" where it has no such step."""
    if kind not in counted[PLAIN][0]:
        return "-"
    rounds = zip(counted[PLAIN], counted[name], strict=True)
    ratios = [seconds_of(plain[kind]) / seconds_of(own[kind]) for plain, own in rounds]
    return f"{statistics.median(ratios):.2f}"


if __name__ == "__main__":
    main()
