"""Measure several things in turn, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import nvtx


def take_turns(runners: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each runner in each round, after one round that is not counted.

    Every other round goes backwards: who comes after a runner finds the caches as that left them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        turns = list(runners.items())
        for name, run in reversed(turns) if number % 2 else turns:
            with nvtx.annotate(name, domain="bench"):
                started = time.perf_counter()
                run()
                elapsed = time.perf_counter() - started
            if number:
                seconds[name].append(elapsed)
    return seconds
