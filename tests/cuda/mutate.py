"""Runs mutants of the kernels through their cases: ``python -m tests.cuda.mutate``."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence

from tests.cuda.host import build
from tests.cuda.mutation.equivalent import is_equivalent
from tests.cuda.mutation.mutant import sample
from tests.cuda.mutation.processes import KILLED, NoBaselineError, Outcome, Runner, What
from tests.cuda.mutation.suite import suites


def main() -> int:
    options = _parser().parse_args()
    build.prepare()  # once, before processes do it each for itself
    known = suites()
    every: list[Outcome] = []
    for file in options.kernels or known:
        chosen = sample(file, options.limit, options.seed)
        runner = Runner(known[file], options.jobs, options.seconds, options.on)
        try:
            outcomes = list(runner.outcomes([m for m in chosen if not is_equivalent(m)]))
        except NoBaselineError as error:
            print(f"{file}: not scored: {error}")
            return 1
        print(summary(file, outcomes, len(chosen) - len(outcomes)), flush=True)
        every += outcomes
    print(f"all: {score(every)}")
    return 1 if any(o.what is What.CRASHED for o in every) else 0


def summary(file: str, outcomes: Sequence[Outcome], equivalent: int = 0) -> str:
    """One line for a file, and one for each mutant that survived or crashed the harness."""
    counts = Counter(o.what for o in outcomes)
    kinds = "".join(f"{counts[what]} {what.value}, " for what in What if counts[what])
    lines = [f"{file}: {score(outcomes)} ({kinds}{equivalent} equivalent)"]
    lines += [f"  survived: {o.mutant}" for o in outcomes if o.what is What.SURVIVED]
    crashed = [o for o in outcomes if o.what is What.CRASHED]
    lines += [f"  harness crashed: {o.mutant}: {o.detail}" for o in crashed]
    return "\n".join(lines)


def score(outcomes: Sequence[Outcome]) -> str:
    """Killed, of those that are killed or survive: a crash of the harness is neither."""
    killed = sum(o.what in KILLED for o in outcomes)
    tried = killed + sum(o.what is What.SURVIVED for o in outcomes)
    share = 100 * killed / tried if tried else 100.0
    return f"{killed} of {tried} killed, {share:.0f} %"


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
    sys.exit(main())
