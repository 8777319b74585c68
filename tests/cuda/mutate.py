"""Runs mutants of the kernels through their cases: ``python -m tests.cuda.mutate``."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence

from tests.cuda.host import build
from tests.cuda.mutation.equivalent import is_equivalent
from tests.cuda.mutation.mutant import sample
from tests.cuda.mutation.processes import NOT_COMPILED, SAME, SURVIVED, Outcome, Runner
from tests.cuda.mutation.suite import suites


def main() -> None:
    options = _parser().parse_args()
    build.prepare()  # once, before processes do it each for itself
    known = suites()
    every: list[Outcome] = []
    for file in options.kernels or known:
        chosen = sample(file, options.limit, options.seed)
        runner = Runner(known[file], options.jobs, options.seconds, options.on)
        outcomes = list(runner.outcomes([m for m in chosen if not is_equivalent(m)]))
        print(summary(file, outcomes, len(chosen) - len(outcomes)), flush=True)
        every += outcomes
    print(f"all: {score(every)}")


def summary(file: str, outcomes: Sequence[Outcome], equivalent: int = 0) -> str:
    """One line for a file, and one for each mutant that survived."""
    counts = Counter(o.what for o in outcomes)
    kinds = ", ".join(f"{n} {what}" for what, n in counts.most_common() if what != SURVIVED)
    lines = [f"{file}: {score(outcomes)} ({kinds}; {equivalent} equivalent)"]
    lines += [f"  survived: {o.mutant}" for o in outcomes if o.what == SURVIVED]
    return "\n".join(lines)


def score(outcomes: Sequence[Outcome]) -> str:
    """Killed, of those that compile to something else."""
    tried = [o for o in outcomes if o.what not in (NOT_COMPILED, SAME)]
    killed = sum(o.what != SURVIVED for o in tried)
    share = 100 * killed / len(tried) if tried else 100.0
    return f"{killed} of {len(tried)} killed, {share:.0f} %"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cuda.mutate", description=__doc__)
    parser.add_argument("--kernels", nargs="*", help="files of kernels/, without ending; all")
    parser.add_argument("--limit", type=int, help="mutants of each file; all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--seconds", type=float, default=120, help="of one mutant")
    parser.add_argument("--on", choices=("host", "ptx"), default="host", help="what runs them")
    return parser


if __name__ == "__main__":
    main()
