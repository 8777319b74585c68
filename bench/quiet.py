"""Rounds of measurements on a machine that others use as well.

Before each run a short loop, whose duration is known, tells whether the processors are free; after
it the system's own counts tell whether others ran. A run that was disturbed is repeated.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from processes import Timing

from gpudb.config import available_threads

SLOWER = 1.1
"""A calibrating loop that takes this many times the shortest one was disturbed."""
OTHERS = 0.03
"""Share of the processors that others may have had during a run."""
TICK = 0.02
"""Seconds; the system counts no finer."""
POLL = 0.25
"""Seconds between two looks at whether it is quiet."""


@dataclass(frozen=True)
class Measured:
    """One run, and whether others disturbed it."""

    seconds: float
    others: float
    """Share of the processors that others had."""
    quiet: bool


@dataclass
class Quiet:
    """Waits until the machine is free, and says whether it stayed so.

    Parameters
    ----------
    patience
        Seconds to wait before a run; then it runs all the same, and counts as disturbed.
    tries
        Runs in place of one that was disturbed.
    """

    patience: float = 20.0
    tries: int = 3
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(available_threads())
    )
    _shortest: float = float("inf")

    def calibrate(self) -> float:
        """Seconds that all processors take for a fixed piece of work."""
        work = bytes(1 << 22)
        started = time.perf_counter()
        list(self._threads.map(lambda _: hashlib.sha256(work), range(available_threads())))
        elapsed = time.perf_counter() - started
        self._shortest = min(self._shortest, elapsed)
        return elapsed

    def wait(self) -> bool:
        """Wait for two calibrating loops in a row as fast as the fastest; False if in vain."""
        give_up = time.perf_counter() + self.patience
        while True:
            if max(self.calibrate(), self.calibrate()) < SLOWER * self._shortest:
                return True
            if time.perf_counter() > give_up:
                return False
            time.sleep(POLL)

    def measure(self, run: Callable[[], Timing]) -> Measured:
        """Run when it is quiet, again where others disturbed it; the least disturbed one."""
        tried: list[Measured] = []
        while len(tried) < self.tries and not any(m.quiet for m in tried):
            free = self.wait()
            busy, started = _busy_seconds(), time.perf_counter()
            own = time.process_time()
            timing = run()
            elapsed = time.perf_counter() - started
            ours = timing.processor + time.process_time() - own
            others = max(0.0, _busy_seconds() - busy - ours)
            available = elapsed * available_threads()
            quiet = free and others < max(OTHERS * available, TICK)
            tried.append(Measured(timing.seconds, others / available, quiet))
        return min(tried, key=lambda m: (not m.quiet, m.others))


def take_quiet_turns(
    runners: Mapping[str, Callable[[], Timing]], rounds: int, quiet: Quiet
) -> dict[str, list[Measured]]:
    """What each runner took in each round, after one round that is not counted.

    Every other round goes backwards: who comes after a runner finds the machine as that left it.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in runners}
    for run in runners.values():
        run()
    for number in range(rounds):
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
        turns = list(runners.items())
        for name, run in reversed(turns) if number % 2 else turns:
            measured[name].append(quiet.measure(run))
    return measured


def _busy_seconds() -> float:
    """Seconds that all processors together have been busy, or taken by another machine."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, path.read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
