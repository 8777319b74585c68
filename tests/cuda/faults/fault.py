"""Small kernels with one fault each, there where PLANT is defined, and what notices it.

| fault | values | host | PTX |
| --- | --- | --- | --- |
| no barrier between write and read | yes | yes | yes |
| no barrier between read and overwrite | no | yes | yes |
| a loop one past the end | no | yes | yes |
| a barrier that half a block reaches | yes | yes | yes |
| a shuffle that names absent lanes | yes | yes | yes |
| blocks add by load and store | no | yes | yes |
| an index of 32 bits overflows | yes | yes | yes |
| 16 bytes at an address that is no multiple | no | yes | yes |
| too little dynamic shared memory | no | yes | yes |
| added to a new array | yes | yes | yes |
| threads beyond the output write | no | yes | yes |

``values``: results compared on the host, in three orders of threads; ``host``: every access
checked there; ``PTX``: what NVRTC makes of the text, run by the emulator. It notices lost updates,
overflows and new arrays by wrong values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.kernels.launch import Cuda
from tests.cuda.host.text import with_common

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Fault:
    """A kernel, what it is called with, and who catches its fault."""

    name: str
    """Of the file and its function."""
    what: str
    """In words."""
    inputs: tuple[Any, ...]
    """Arrays in front of the output."""
    want: Any
    """The output, whose memory is new unless ``adds``."""
    kind: str
    """Kind of :class:`tests.cuda.host.KernelFault`."""
    caught_by: frozenset[str]
    """Names of rungs; see :mod:`tests.cuda.faults.rungs`."""
    numbers: tuple[int, ...] = ()
    """Behind the output."""
    blocks: int = 1
    threads: int = 32
    shared: int = 0
    adds: bool = False
    """The output begins with zeros."""

    def function(self, planted: bool) -> Cuda:
        """The CUDA function, with its fault or without."""
        text = (FOLDER / f"{self.name}.cu").read_text(encoding="utf-8")
        text = text.replace('#include "common.cuh"\n', "")
        return with_common(self.name, "#define PLANT\n" * planted + text)


def _counted(n: int) -> Any:
    return np.arange(n, 0, -1, dtype=np.float32)


def _largest_of_the_rest(x: Any) -> Any:
    return np.maximum.accumulate(x[::-1])[::-1]


def _swapped(x: Any) -> Any:
    return np.where(np.arange(32) < 24, x[np.arange(32) ^ 1], x)


def _fault(name: str, what: str, inputs: tuple[Any, ...], want: Any, **more: Any) -> Fault:
    return Fault(name, what, inputs, want.astype(np.float32), **more)


ALL = frozenset({"values", "host", "ptx"})
CHECKED = ALL - {"values"}

X64 = _counted(64)
X32 = _counted(32)

FAULTS = (
    _fault(
        "read_after_write",
        "no barrier between write and read",
        (X64,),
        X64[::-1],
        kind="unwritten",
        caught_by=ALL,
        threads=64,
    ),
    _fault(
        "write_after_read",
        "no barrier between read and overwrite",
        (X64,),
        3 * X64[np.arange(64) ^ 33] + 3,
        kind="race",
        caught_by=CHECKED,
        threads=64,
    ),
    _fault(
        "past_the_end",
        "a loop one past the end",
        (X32,),
        _largest_of_the_rest(X32),
        kind="bounds",
        caught_by=CHECKED,
        numbers=(32,),
    ),
    _fault(
        "divergent_barrier",
        "a barrier that half a block reaches",
        (X64,),
        X64[32:],
        kind="barrier",
        caught_by=ALL,
        threads=64,
    ),
    _fault(
        "divergent_shuffle",
        "a shuffle that names absent lanes",
        (X32,),
        _swapped(X32),
        kind="lanes",
        caught_by=ALL,
    ),
    _fault(
        "lost_update",
        "blocks add by load and store",
        (),
        np.array([5.0]),
        kind="race",
        caught_by=CHECKED,
        blocks=5,
        adds=True,
    ),
    _fault(
        "index_overflow",
        "an index of 32 bits overflows",
        (X32,),
        np.array([32.0] + [0.0] * 31),
        kind="overflow",
        caught_by=ALL,
        numbers=(32, 1 << 30),
    ),
    _fault(
        "misaligned",
        "16 bytes at an address that is no multiple",
        (_counted(130),),
        _counted(130)[1:129],
        kind="alignment",
        caught_by=CHECKED,
    ),
    _fault(
        "small_shared",
        "too little dynamic shared memory",
        (X64,),
        X64[::-1],
        kind="bounds",
        caught_by=CHECKED,
        threads=64,
        shared=256,
    ),
    _fault(
        "unwritten_output",
        "added to a new array",
        (X64,),
        X64[:32] + X64[32:],
        kind="unwritten",
        caught_by=ALL,
    ),
    _fault(
        "small_output",
        "threads beyond the output write",
        (_counted(70),),
        2 * _counted(70),
        kind="bounds",
        caught_by=CHECKED,
        numbers=(70,),
        blocks=3,
    ),
)


def table() -> str:
    """Who catches what, as above."""
    rungs = ("values", "host", "ptx")
    lines = ["| fault | values | host | PTX |", "| --- | --- | --- | --- |"]
    for fault in FAULTS:
        cells = ("yes" if rung in fault.caught_by else "no" for rung in rungs)
        lines.append(f"| {fault.what} | {' | '.join(cells)} |")
    return "\n".join(lines)
