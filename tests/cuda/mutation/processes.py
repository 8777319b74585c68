"""Runs each mutant in a process of its own: some never end, some end the process."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.cuda.host import KernelFault
from tests.cuda.host.build import CompileError, assembly
from tests.cuda.mutation.mutant import Mutant
from tests.cuda.mutation.suite import Suite

FORK = multiprocessing.get_context("fork")

SURVIVED, NOT_COMPILED, SAME = "survived", "not compiled", "same code"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant: who killed it, or one of the three above."""

    mutant: Mutant
    what: str
    trial: int | None = None
    """Which of the trials killed it."""


@dataclass
class Runner:
    """Runs the mutants of one file.

    Parameters
    ----------
    suite
        Trials that each goes through until one notices it.
    jobs
        Processes at a time.
    seconds
        After which a mutant counts as one that does not end.
    on
        ``host`` or ``ptx``.
    """

    suite: Suite
    jobs: int = 2
    seconds: float = 120
    on: str = "host"
    killers: Counter[int] = field(default_factory=Counter)
    """Trials that have killed before: they go first."""

    def outcomes(self, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
        """As they come."""
        left = list(reversed(mutants))
        running: dict[Any, tuple[Mutant, Any, Connection, float]] = {}
        while left or running:
            while left and len(running) < self.jobs:
                mutant = left.pop()
                process, answer = self._start(mutant)
                deadline = time.monotonic() + self.seconds
                running[process.sentinel] = (mutant, process, answer, deadline)
            done = set(wait(list(running), timeout=1))
            for sentinel, (mutant, process, answer, deadline) in list(running.items()):
                if sentinel in done:
                    del running[sentinel]
                    yield self._finished(mutant, process, answer)
                elif time.monotonic() > deadline:
                    del running[sentinel]
                    process.kill()
                    process.join()
                    yield Outcome(mutant, "does not end")

    def _start(self, mutant: Mutant) -> tuple[Any, Connection]:
        order = [i for i, _ in self.killers.most_common()]
        order += [i for i in range(len(self.suite.trials)) if i not in self.killers]
        receive, send = FORK.Pipe(duplex=False)
        process = FORK.Process(target=self._child, args=(mutant, order, send))
        process.start()
        send.close()
        return process, receive

    def _finished(self, mutant: Mutant, process: Any, answer: Connection) -> Outcome:
        process.join()
        if not answer.poll():
            return Outcome(mutant, f"exit code {process.exitcode}")
        what, trial = answer.recv()
        if trial is not None:
            self.killers[trial] += 1
        return Outcome(mutant, what, trial)

    def _child(self, mutant: Mutant, order: Sequence[int], answer: Connection) -> None:
        for i in order:
            trial = self.suite.trials[i]
            run = trial.on_host if self.on == "host" else trial.on_ptx
            if what := _noticed(run, mutant):
                answer.send((what, None if what == NOT_COMPILED else i))
                return
        functions = self.suite.functions
        same = all(assembly(f) == assembly(mutant.apply(f)) for f in functions)
        answer.send((SAME if same else SURVIVED, None))


def _noticed(run: Callable[[Any], None], mutant: Mutant) -> str | None:
    try:
        run(mutant.apply)
    except KernelFault as error:
        return error.kind
    except CompileError:
        return NOT_COMPILED
    except AssertionError:
        return "values"
    except Exception as error:
        return type(error).__name__
    return None
