"""Which CUDA functions the cases launch, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from gpudb.kernels.launch import Cuda
from tests.cuda.cases.found import all_cases
from tests.cuda.emulated import EmulatedDevice
from tests.cuda.run_case import on_device


@dataclass(frozen=True, slots=True)
class Launch:
    """Threads and dynamic shared memory of a block."""

    threads: int
    shared: int


class Recorder(EmulatedDevice):
    """Notes what is launched and runs nothing; results are whatever was there."""

    def __init__(self) -> None:
        super().__init__()
        self.launches: dict[Cuda, set[Launch]] = {}

    def launch(
        self, function: Cuda, blocks: int, threads: int, args: Sequence[Any], shared: int = 0
    ) -> None:
        self.launches.setdefault(function, set()).add(Launch(threads, shared))


@cache
def all_launches() -> dict[Cuda, tuple[Launch, ...]]:
    """Every function that a case launches, in the block sizes of the launch code."""
    recorder = Recorder()
    for case in all_cases():
        for dtype in case.dtypes:
            assert case.kernel.launch is not None
            case.kernel.launch(recorder, *on_device(case, dtype, recorder))
    ordered = sorted(recorder.launches.items(), key=lambda item: name_of(item[0]))
    return {
        function: tuple(sorted(found, key=lambda launch: (launch.threads, launch.shared)))
        for function, found in ordered
    }


@cache
def chosen_launches() -> dict[Cuda, tuple[Launch, ...]]:
    """Of every kernel and element type the function with most axes and most work, and the one that
    holds rows in registers; all of attention.

    The others differ from it by an operator or an axis less. Compiling all of them for seven
    architectures would take longer than everything else here together.
    """
    chosen: dict[tuple[object, ...], Cuda] = {}
    for function in all_launches():
        types = [pair for pair in function.defines if not _is_variant(pair)]
        holding = [pair for pair in function.defines if pair[0] == "HELD" and pair[1] != "0"]
        kept = function.defines if function.file == "attention" else (*types[:1], *holding)
        chosen[(function.file, function.function, kept)] = function  # the last in order
    return {function: all_launches()[function] for function in chosen.values()}


def _is_variant(define: tuple[str, str]) -> bool:
    """An operator, a number of axes or a type of row numbers: not a type of elements."""
    name, value = define
    return name in ("FN", "TEAM") or value.isdigit() or name.startswith("I")


def name_of(function: Cuda) -> str:
    """``file.function[T=float]``."""
    defines = ", ".join(f"{name}={value}" for name, value in function.defines)
    name = (
        function.function
        if function.function == function.file
        else (f"{function.file}.{function.function}")
    )
    return f"{name}[{defines}]" if defines else name
