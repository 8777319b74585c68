"""Ways of running a faulty kernel. Another way is another entry of :data:`RUNGS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np

from tests.cuda.faults.fault import Fault
from tests.cuda.host import KernelFault, Memory, run

Rung: TypeAlias = Callable[[Fault, bool], "str | None"]
"""Runs a kernel, with its fault where told so: what was noticed, None if nothing."""

WRONG = "wrong values"


def checked(fault: Fault, planted: bool, schedule: str = "ascending") -> str | None:
    """On the host, every access checked."""
    out = _output(fault)
    written = np.full_like(out, 0)
    if fault.adds:
        written.view(np.uint8)[...] = 1
    args = (*fault.inputs, Memory(out, written), *fault.numbers)
    try:
        run(fault.function(planted), fault.blocks, fault.threads, args, fault.shared, schedule)
    except KernelFault as error:
        return error.kind
    return _compared(fault, out)


def values(fault: Fault, planted: bool) -> str | None:
    """On the host, in all orders of threads; only results are looked at.

    Arrays lie in larger ones, so that nothing breaks where a kernel leaves them.
    """
    for schedule in ("ascending", "descending", "random"):
        out = _roomy(_output(fault))
        args = (*map(_roomy, fault.inputs), out, *fault.numbers)
        try:
            run(
                fault.function(planted),
                fault.blocks,
                fault.threads,
                args,
                fault.shared,
                schedule,
                checked=False,
            )
        except KernelFault as error:  # who waits for whom is always looked at
            return error.kind
        if noticed := _compared(fault, out):
            return noticed
    return None


def emulated(fault: Fault, planted: bool) -> str | None:
    """The PTX that NVRTC makes of it, on the CPU."""
    from tests.cuda.emulated import compiled
    from tests.cuda.ptx import PtxError
    from tests.cuda.ptx import run as run_ptx

    out = _output(fault)
    kernel = compiled(fault.function(planted), 80)
    args = (*fault.inputs, out, *fault.numbers)
    try:
        run_ptx(kernel, (fault.blocks,), (fault.threads,), args, fault.shared)
    except PtxError:
        return "fault"
    return _compared(fault, out)


RUNGS: Mapping[str, Rung] = {"values": values, "host": checked} | (
    {"ptx": emulated} if find_spec("tests.cuda.ptx") else {}
)


def _output(fault: Fault) -> Any:
    return np.full_like(fault.want, 0.0 if fault.adds else np.nan)


def _roomy(x: Any) -> Any:
    whole = np.zeros(x.size + 128, x.dtype)
    whole[64 : 64 + x.size] = x
    return whole[64 : 64 + x.size]


def _compared(fault: Fault, out: Any) -> str | None:
    return None if np.array_equal(out, fault.want) else WRONG
