"""Matrix products as cuBLAS defines them: column-major, from addresses, bounds checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.cuda.standin import memory, order
from tests.cuda.standin.errors import CUBLASError
from tests.cuda.standin.memory import Span
from tests.cuda.standin.real import runtime
from tests.cuda.standin.rounding import round_to_bfloat16, round_to_tf32, widen_bfloat16

OP_N, OP_T, OP_C = 0, 1, 2
COMPUTE_32F, COMPUTE_32F_PEDANTIC, COMPUTE_32F_FAST_TF32 = 68, 69, 77
COMPUTE_64F, COMPUTE_64F_PEDANTIC = 70, 71

BFLOAT16 = "bfloat16"
TYPES = {
    runtime.CUDA_R_32F: "float32",
    runtime.CUDA_R_64F: "float64",
    runtime.CUDA_R_16F: "float16",
    runtime.CUDA_R_16BF: BFLOAT16,
}

WIDE = (COMPUTE_64F, COMPUTE_64F_PEDANTIC)
"""Compute types of double; the others compute in float."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A column-major matrix in device memory: as many rows and columns as are stored."""

    address: int
    type: str
    rows: int
    columns: int
    ld: int

    @property
    def span(self) -> Span:
        dtype = np.dtype("uint16" if self.type == BFLOAT16 else self.type)
        strides = (dtype.itemsize, self.ld * dtype.itemsize)
        return Span(self.address, (self.rows, self.columns), dtype, strides)

    def at(self, address: int) -> Matrix:
        """The same matrix somewhere else."""
        return replace(self, address=address)

    def moved(self, elements: int) -> Matrix:
        return self.at(self.address + elements * self.span.dtype.itemsize)


@dataclass(frozen=True, slots=True)
class Product:
    """``C = alpha op(A) op(B) + beta C``."""

    transa: int
    transb: int
    alpha: float
    beta: float
    compute: int
    a: Matrix
    b: Matrix
    c: Matrix

    def with_matrices(self, a: Matrix, b: Matrix, c: Matrix) -> Product:
        return replace(self, a=a, b=b, c=c)

    def check(self) -> None:
        """Bounds of what is read and written: before anything is submitted."""
        for name, matrix in (("A", self.a), ("B", self.b), ("C", self.c)):
            if matrix.ld < max(1, matrix.rows):
                raise CUBLASError(
                    f"CUBLAS_STATUS_INVALID_VALUE: {name} has {matrix.rows} rows, ld is {matrix.ld}"
                )
            if matrix.address % matrix.span.dtype.itemsize:
                raise CUBLASError(f"{name} is not aligned to its elements")
            memory.device.view(matrix.span)

    def run(self) -> None:
        order.reads(self.a.span, self.b.span)
        order.writes(self.c.span)
        wide = np.float64 if self.compute in WIDE else np.float32
        left, right = self._read(self.a, self.transa), self._read(self.b, self.transb)
        with np.errstate(all="ignore"):
            result = wide(self.alpha) * (left.astype(wide) @ right.astype(wide))
            if self.beta:  # zero: C is not read, NaN in it do not matter
                result += wide(self.beta) * self._before().astype(wide)
            memory.device.view(self.c.span)[...] = _narrow(result, self.c.type)

    def _read(self, matrix: Matrix, trans: int) -> Any:
        stored = memory.device.view(matrix.span)
        values = widen_bfloat16(stored) if matrix.type == BFLOAT16 else stored
        if self.compute == COMPUTE_32F_FAST_TF32:
            values = round_to_tf32(values)
        return values if trans == OP_N else values.T

    def _before(self) -> Any:
        stored = memory.device.view(self.c.span)
        return widen_bfloat16(stored) if self.c.type == BFLOAT16 else stored


def _narrow(x: Any, wanted: str) -> Any:
    return round_to_bfloat16(x) if wanted == BFLOAT16 else x.astype(wanted)
