"""Products of matrices by cuBLAS: one call, whatever the layout.

cuBLAS is column-major, so a row-major product ``C = A B`` is asked for as ``Cᵀ = Bᵀ Aᵀ``: a
row-major matrix with rows ``ld`` elements apart is its transpose in column-major order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import cupy as cp
import numpy as np
from cupy.cuda import cublas, runtime

from gpudb.errors import DeviceError

DATA_TYPES: Mapping[str, int] = {
    "float64": runtime.CUDA_R_64F,
    "float32": runtime.CUDA_R_32F,
    "float16": runtime.CUDA_R_16F,
    "uint16": runtime.CUDA_R_16BF,  # the bits of bfloat16
}
MAX_EXTENT = 2**31 - 1

FULL_PRECISION_SUMS = 16
"""CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION in cublas_api.h, which CuPy does not name: sums
of parts of a long inner axis stay in float32 as well."""


@dataclass(frozen=True, slots=True)
class Matrices:
    """Equally shaped matrices, as cuBLAS reads them."""

    array: Any
    """Keeps the memory."""
    transposed: bool
    """Columns, not rows, lie together."""
    leading: int
    """Elements from one row (or column) to the next."""
    stride: int
    """Elements from one matrix to the next; 0 where all are the same one."""


def matmul(a: Any, b: Any, transpose_b: bool, *, tf32: bool) -> Any:
    """``(…, i, k) @ (…, k, j)``, or ``(…, j, k)`` transposed -> ``(…, i, j)``, C-contiguous.

    Half types are added up in float32 and rounded once, at the end. ``tf32`` lets float32 operands
    be rounded to 11 bits, which tensor cores multiply several times faster.
    """
    if transpose_b:
        b = b.swapaxes(-1, -2)
    a, b = _same_dtype(a, b)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    i, k, j = a.shape[-2], a.shape[-1], b.shape[-1]
    if b.shape[-2] != k:
        raise DeviceError(f"matmul: {a.shape} and {b.shape} have different inner extents")
    out = cp.empty((*batch, i, j), a.dtype)
    count = prod(batch)
    if not out.size:
        return out
    if not k:
        out.fill(0)
        return out
    if max(i, j, k, count) > MAX_EXTENT:
        raise DeviceError(f"matmul: cuBLAS takes extents below 2**31, found {a.shape}, {b.shape}")
    left, right = _matrices(a, batch), _matrices(b, batch)
    if left is None or right is None:
        _pointer_batched(out, a, b, batch)
    else:
        _strided_batched(out.reshape(count, i, j), left, right, k, tf32)
    return out


def _strided_batched(out: Any, left: Matrices, right: Matrices, k: int, tf32: bool) -> None:
    count, i, j = out.shape
    dtype = str(out.dtype)
    data = DATA_TYPES[dtype]
    one, zero = _scalars(dtype)
    handle, compute = _handle(), _compute_type(dtype, tf32)
    head = (handle, _operation(right), _operation(left), j, i, k, one.ctypes.data)
    b, a = right.array.data.ptr, left.array.data.ptr
    tail = (compute, cublas.CUBLAS_GEMM_DEFAULT)
    if count == 1:
        operands = (b, data, right.leading, a, data, left.leading)
        cublas.gemmEx(*head, *operands, zero.ctypes.data, out.data.ptr, data, j, *tail)
        return
    strided = (b, data, right.leading, right.stride, a, data, left.leading, left.stride)
    result = (zero.ctypes.data, out.data.ptr, data, j, i * j, count)
    cublas.gemmStridedBatchedEx(*head, *strided, *result, *tail)


def _pointer_batched(out: Any, a: Any, b: Any, batch: tuple[int, ...]) -> None:
    """Matrices that lie anywhere: cuBLAS gets the address of each."""
    i, j = out.shape[-2:]
    k = a.shape[-1]
    functions = {"float32": cublas.sgemmBatched, "float64": cublas.dgemmBatched}
    dtype = str(out.dtype)
    left, right = _plain(a), _plain(b)
    if dtype not in functions:  # cuBLAS has it, CuPy does not pass it on: one after the other
        for place in np.ndindex(*batch):
            part = matmul(_at(left, place, batch), _at(right, place, batch), False, tf32=False)
            out[place] = part
        return
    one, zero = _scalars(dtype)
    first, second = _matrix(left, 0), _matrix(right, 0)
    b_pointers, a_pointers, c_pointers = (_addresses(x, batch) for x in (right, left, out))
    operands = (b_pointers.data.ptr, second.leading, a_pointers.data.ptr, first.leading)
    functions[dtype](
        *(_handle(), _operation(second), _operation(first), j, i, k, one.ctypes.data),
        *(*operands, zero.ctypes.data, c_pointers.data.ptr, j, prod(batch)),
    )


def _matrices(x: Any, batch: tuple[int, ...]) -> Matrices | None:
    """The operand as matrices one stride apart; None where they are not."""
    x = _plain(x)
    strides = [s // x.itemsize for s in x.strides[:-2]]
    extents = list(x.shape[:-2])
    while extents and extents[0] == 1:  # repeated along a missing or short axis
        extents, strides = extents[1:], strides[1:]
    if not extents:
        return _matrix(x, 0)
    if tuple(extents) != batch[len(batch) - len(extents) :] or prod(extents) != prod(batch):
        return None
    step = strides[-1]
    expected = step
    for extent, stride in zip(reversed(extents), reversed(strides), strict=True):
        if extent != 1 and stride != expected:
            return None
        expected = stride * extent
    return _matrix(x, step)


def _matrix(x: Any, stride: int) -> Matrices:
    rows, columns = (s // x.itemsize for s in x.strides[-2:])
    if columns == 1 or x.shape[-1] == 1:
        return Matrices(x, False, max(rows, x.shape[-1], 1), stride)
    return Matrices(x, True, max(columns, x.shape[-2], 1), stride)


def _plain(x: Any) -> Any:
    """The array, copied unless rows or columns lie together and none overlaps another."""
    rows, columns = (s // x.itemsize for s in x.strides[-2:])
    by_rows = (columns == 1 or x.shape[-1] == 1) and (rows >= x.shape[-1] or x.shape[-2] == 1)
    by_columns = (rows == 1 or x.shape[-2] == 1) and (columns >= x.shape[-2] or x.shape[-1] == 1)
    return x if by_rows or by_columns else cp.ascontiguousarray(x)


def _addresses(x: Any, batch: tuple[int, ...]) -> Any:
    """Where each matrix of a batch starts, on the device."""
    steps = np.zeros(1, np.int64)
    missing = len(batch) - (x.ndim - 2)
    strides = (0,) * missing + x.strides[:-2]
    extents = (1,) * missing + x.shape[:-2]
    for extent, stride, wanted in zip(extents, strides, batch, strict=True):
        along = np.arange(wanted) * (stride if extent != 1 else 0)
        steps = (steps[:, None] + along).reshape(-1)
    return cp.asarray((steps + x.data.ptr).astype(np.uint64))


def _at(x: Any, place: tuple[int, ...], batch: tuple[int, ...]) -> Any:
    own = place[len(batch) - (x.ndim - 2) :]
    return x[tuple(n if e != 1 else 0 for n, e in zip(own, x.shape[:-2], strict=True))]


def _same_dtype(a: Any, b: Any) -> tuple[Any, Any]:
    if a.dtype == b.dtype:
        return a, b
    if {str(a.dtype), str(b.dtype)} - {"float32", "float64"}:
        raise DeviceError(f"matmul: {a.dtype} and {b.dtype} do not go together; cast one of them")
    return a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)


def _scalars(dtype: str) -> tuple[Any, Any]:
    """1 and 0 in the type that products are added up in, on the host."""
    wide = np.float64 if dtype == "float64" else np.float32
    return np.array(1, wide), np.array(0, wide)


def _compute_type(dtype: str, tf32: bool) -> int:
    if dtype == "float64":
        return int(cublas.CUBLAS_COMPUTE_64F)
    if dtype == "float32" and tf32:
        return int(cublas.CUBLAS_COMPUTE_32F_FAST_TF32)
    return int(cublas.CUBLAS_COMPUTE_32F)


def _operation(matrices: Matrices) -> int:
    return int(cublas.CUBLAS_OP_T if matrices.transposed else cublas.CUBLAS_OP_N)


def _handle() -> int:
    handle = cp.cuda.device.get_cublas_handle()
    cublas.setMathMode(handle, FULL_PRECISION_SUMS)
    return int(handle)
