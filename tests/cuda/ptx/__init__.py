"""Runs PTX on the CPU with NumPy, one array element per thread, and reports faults.

>>> kernels = parse(ptx_text)
>>> traffic = run(kernels["axpy"], (blocks,), (threads,), (x, y, 2.0, len(x)))
"""

from __future__ import annotations

from tests.cuda.ptx.errors import PtxError, PtxFault
from tests.cuda.ptx.machine import run
from tests.cuda.ptx.parse import parse
from tests.cuda.ptx.program import PtxKernel
from tests.cuda.ptx.traffic import Traffic

__all__ = ["PtxError", "PtxFault", "PtxKernel", "Traffic", "parse", "run"]
