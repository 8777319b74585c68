"""Runs each mutant in a process of its own: some never end, some end the process."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.cuda import nvrtc
from tests.cuda.host import KernelFault, build
from tests.cuda.host.build import assembly
from tests.cuda.mutation.mutant import UNCHANGED, Mutant
from tests.cuda.mutation.suite import Suite
from tests.cuda.ptx import PtxFault

FORK = multiprocessing.get_context("fork")


class What(Enum):
    """What becomes of a mutant."""

    REPORTED = "killed by a report"
    WRONG = "killed by values"
    SURVIVED = "survived"
    SAME = "same code"
    NOT_COMPILED = "did not compile"
    CRASHED = "harness crashed"


KILLED = (What.REPORTED, What.WRONG)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant."""

    mutant: Mutant
    what: What
    detail: str = ""
    """Kind of fault that was reported, or why the harness crashed."""
    trial: int | None = None
    """Which of the trials ended it."""


class NoBaselineError(Exception):
    """The checks do not pass without any change, so they tell nothing of changes."""


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
        """As they come, once the unchanged file has passed.

        Raises
        ------
        NoBaselineError
            It has not.
        """
        (unchanged,) = self._outcomes([UNCHANGED])
        if unchanged.what is not What.SAME:
            raise NoBaselineError(f"without any change: {unchanged.what.value}, {unchanged.detail}")
        yield from self._outcomes(mutants)

    def _outcomes(self, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
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
                    yield Outcome(mutant, What.REPORTED, f"no end in {self.seconds:g} s")

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
        try:
            what, detail, trial = answer.recv()
        except EOFError:
            return Outcome(mutant, What.CRASHED, f"exit code {process.exitcode}")
        if what in KILLED:
            self.killers[trial] += 1
        return Outcome(mutant, what, detail, trial)

    def _child(self, mutant: Mutant, order: Sequence[int], answer: Connection) -> None:
        for i in order:
            trial = self.suite.trials[i]
            run = trial.on_host if self.on == "host" else trial.on_ptx
            if noticed := _noticed(run, mutant):
                answer.send((*noticed, i))
                return
        functions = self.suite.functions
        same = all(assembly(f) == assembly(mutant.apply(f)) for f in functions)
        answer.send((What.SAME if same else What.SURVIVED, "", None))


def _noticed(run: Callable[[Any], None], mutant: Mutant) -> tuple[What, str] | None:
    try:
        run(mutant.apply)
    except KernelFault as error:
        return What.REPORTED, error.kind
    except PtxFault as error:
        return What.REPORTED, str(error)
    except (build.CompileError, nvrtc.CompileError) as error:
        return What.NOT_COMPILED, str(error)
    except AssertionError as error:
        return What.WRONG, str(error)
    except Exception as error:  # of the harness itself: it says nothing of the mutant
        return What.CRASHED, f"{type(error).__name__}: {error}"
    return None
