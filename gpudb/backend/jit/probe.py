"""Whether code can be compiled for this processor, and if not, why and what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Timer

from gpudb.errors import DeviceError

INSTALL = "pip install 'gpudb-tensor[jit]'"


def obstacle() -> str:
    """What stands in the way; empty where nothing does."""
    if find_spec("numba") is None:
        return f"numba not installed: {INSTALL}"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT is set"
    # Not at the top: llvmlite is there with numba only.
    from gpudb.backend.jit.target import TARGET

    if TARGET.lanes == 4 and TARGET.x86:
        return "this processor has no AVX2 with FMA, or NUMBA_CPU_FEATURES hides them"
    return ""


def check(precision: str) -> None:
    """Raise where the device cannot be used, or not in this precision.

    Raises
    ------
    DeviceError
        With the reason and the next step.
    """
    if reason := obstacle():
        raise DeviceError(
            f"device 'jit' is not available: {reason}. device='numpy' runs everywhere"
        )
    from gpudb.backend.jit.target import TARGET

    has = {"float32": True, "bfloat16": TARGET.bfloat16, "int8": TARGET.int8}
    if precision not in has:
        raise DeviceError(
            f"device 'jit' computes in {', '.join(has)}, not in {precision!r}; device='cuda' does"
        )
    if not has[precision]:
        needed = {"bfloat16": "AVX512_BF16", "int8": "AVX512_VNNI"}[precision]
        raise DeviceError(
            f"precision={precision!r} on device 'jit' needs {needed}, which this processor "
            f"({TARGET.name}) does not have; precision='float32' runs here"
        )


@contextmanager
def waiting() -> Iterator[None]:
    """Say on a terminal what is being waited for, where that takes more than a second."""
    text = "gpudb: compiling its kernels; gpudb doctor says where they are kept for the next time\n"
    timer = Timer(1.0, sys.stderr.write, (text,))
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
