"""What every mutant of a file goes through: the cases that launch something of that file."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any

from gpudb.kernels.launch import Cuda
from tests.cuda.cases.case import Case
from tests.cuda.cases.found import all_cases
from tests.cuda.host.engine import SCHEDULES
from tests.cuda.host_device import HostDevice
from tests.cuda.run_case import HostFedDevice, check_case, on_device

Replace = Callable[[Cuda], Cuda]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One case in one dtype, with one number of threads in one order."""

    case: Case
    dtype: str
    threads: int | None
    schedule: str
    most_blocks: int

    def on_host(self, replace: Replace) -> None:
        """Raises what is noticed."""
        device = HostDevice(
            self.threads, self.schedule, most_blocks=self.most_blocks, replace=replace
        )
        check_case(self.case, self.dtype, device)

    def on_ptx(self, replace: Replace) -> None:
        """Raises what is noticed."""
        from tests.cuda.emulated import EmulatedDevice

        class Replacing(EmulatedDevice):
            def launch(self, function: Cuda, *args: Any, **kwargs: Any) -> None:
                super().launch(replace(function), *args, **kwargs)

        device: HostFedDevice = Replacing(self.threads, most_blocks=self.most_blocks)
        check_case(self.case, self.dtype, device)


@dataclass(frozen=True, slots=True)
class Suite:
    """Of one file of kernels/."""

    trials: list[Trial]
    """In an order that has different ones near each other."""
    functions: set[Cuda]
    """All that the trials launch."""


@cache
def suites() -> dict[str, Suite]:
    """File of kernels/ -> its suite."""
    found: dict[str, Suite] = {}
    for case in all_cases():
        for dtype in case.dtypes:
            launched = _launched(case, dtype)
            trials = _trials(case, dtype)
            for file in {function.file for function in launched}:
                suite = found.setdefault(file, Suite([], set()))
                suite.trials.extend(trials)
                suite.functions.update(f for f in launched if f.file == file)
    for file, suite in found.items():
        random.Random(file).shuffle(suite.trials)
    return {file: found[file] for file in sorted(found)}


def _trials(case: Case, dtype: str) -> list[Trial]:
    sizes: Sequence[int | None] = (None, *case.block_sizes)
    return [
        Trial(case, dtype, threads, schedule, most_blocks)
        for threads, schedule, most_blocks in zip(
            sizes, cycle(SCHEDULES), cycle((2**31 - 1, 2)), strict=False
        )
    ]


def _launched(case: Case, dtype: str) -> set[Cuda]:
    """The functions that a case launches."""
    if case.kernel.launch is None:
        return set()
    recorder = _Recorder()
    case.kernel.launch(recorder, *on_device(case, dtype, recorder))
    return recorder.functions


class _Recorder(HostDevice):
    """Notes what is launched and runs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: set[Cuda] = set()

    def launch(self, function: Cuda, *args: Any, **kwargs: Any) -> None:
        self.functions.add(function)
