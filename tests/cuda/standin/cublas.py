"""``cupy.cuda.cublas``, the low-level functions for matrix products.

As in CuPy every product runs on the current stream, whatever ``setStream`` was told before.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from tests.cuda.standin import gemm, memory, order, streams
from tests.cuda.standin.errors import CUBLASError
from tests.cuda.standin.gemm import BFLOAT16, TYPES, Matrix, Product
from tests.cuda.standin.memory import Span
from tests.cuda.standin.real import signature
from tests.cuda.standin.runtime import CUBLAS_HANDLE

DEFAULT_MATH, TENSOR_OP_MATH, PEDANTIC_MATH, TF32_MATH = range(4)
FULL_PRECISION_SUMS = 16
"""CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION: sums are in full precision here anyhow."""

CONSTANTS = {
    "CUBLAS_OP_N": gemm.OP_N,
    "CUBLAS_OP_T": gemm.OP_T,
    "CUBLAS_OP_C": gemm.OP_C,
    "CUBLAS_COMPUTE_32F": gemm.COMPUTE_32F,
    "CUBLAS_COMPUTE_32F_PEDANTIC": gemm.COMPUTE_32F_PEDANTIC,
    "CUBLAS_COMPUTE_32F_FAST_TF32": gemm.COMPUTE_32F_FAST_TF32,
    "CUBLAS_COMPUTE_64F": gemm.COMPUTE_64F,
    "CUBLAS_COMPUTE_64F_PEDANTIC": gemm.COMPUTE_64F_PEDANTIC,
    "CUBLAS_GEMM_DEFAULT": -1,
    "CUBLAS_DEFAULT_MATH": DEFAULT_MATH,
    "CUBLAS_PEDANTIC_MATH": PEDANTIC_MATH,
    "CUBLAS_TF32_TENSOR_OP_MATH": TF32_MATH,
}

INTS = ("m", "n", "k", "lda", "ldb", "ldc", "batchCount")
MOST_INT = 2**31 - 1
"""What a C int holds."""

COMBINATIONS: dict[int, set[tuple[str, str]]] = {
    gemm.COMPUTE_64F: {("float64", "float64")},
    gemm.COMPUTE_32F: {
        *((t, t) for t in ("float32", "float16", BFLOAT16)),
        *((t, "float32") for t in ("float16", BFLOAT16)),
    },
    gemm.COMPUTE_32F_FAST_TF32: {("float32", "float32")},
}
"""Compute type -> types of A and B, and of C: the rows of cublasGemmEx's table used here."""
COMBINATIONS[gemm.COMPUTE_32F_PEDANTIC] = COMBINATIONS[gemm.COMPUTE_32F]
COMBINATIONS[gemm.COMPUTE_64F_PEDANTIC] = COMBINATIONS[gemm.COMPUTE_64F]


def sgemm(*args: Any, **kwargs: Any) -> None:
    _plain(_named("sgemm", args, kwargs), "float32", _single())


def dgemm(*args: Any, **kwargs: Any) -> None:
    _plain(_named("dgemm", args, kwargs), "float64", gemm.COMPUTE_64F)


def gemmEx(*args: Any, **kwargs: Any) -> None:
    given = _named("gemmEx", args, kwargs)
    _submit(given, [_product(given, _types(given), given["computeType"])])


def sgemmStridedBatched(*args: Any, **kwargs: Any) -> None:
    _strided(_named("sgemmStridedBatched", args, kwargs), ("float32",) * 3, _single())


def dgemmStridedBatched(*args: Any, **kwargs: Any) -> None:
    _strided(_named("dgemmStridedBatched", args, kwargs), ("float64",) * 3, gemm.COMPUTE_64F)


def gemmStridedBatchedEx(*args: Any, **kwargs: Any) -> None:
    given = _named("gemmStridedBatchedEx", args, kwargs)
    _strided(given, _types(given), given["computeType"])


def sgemmBatched(*args: Any, **kwargs: Any) -> None:
    _batched(_named("sgemmBatched", args, kwargs), "float32", _single())


def dgemmBatched(*args: Any, **kwargs: Any) -> None:
    _batched(_named("dgemmBatched", args, kwargs), "float64", gemm.COMPUTE_64F)


def setStream(handle: int, stream: int) -> None:
    """Without effect, as in CuPy: the next product sets the current stream again."""
    _check_handle(handle)
    streams.by_pointer(stream)


def setMathMode(handle: int, mode: int) -> None:
    _check_handle(handle)
    if mode & ~FULL_PRECISION_SUMS not in (DEFAULT_MATH, PEDANTIC_MATH, TF32_MATH):
        raise NotImplementedError(f"math mode {mode} is not in the stand-in")
    _math_mode[0] = mode


def getMathMode(handle: int) -> int:
    _check_handle(handle)
    return _math_mode[0]


FUNCTIONS = {
    f.__name__: f
    for f in (
        *(sgemm, dgemm, gemmEx, sgemmStridedBatched, dgemmStridedBatched),
        *(gemmStridedBatchedEx, sgemmBatched, dgemmBatched),
        *(setStream, setMathMode, getMathMode),
    )
}


def reset() -> None:
    """As a new handle is."""
    _math_mode[0] = DEFAULT_MATH


def _named(function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, int]:
    """Arguments by the names that the compiled wrapper gives them, checked as Cython does."""
    known = signature(f"cupy.cuda.cublas.{function}")
    if known is None:
        raise NotImplementedError(f"the installed CuPy does not say how {function} is called")
    given = known.bind(*args, **kwargs).arguments
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{function}: {name} must be a whole number, got {value!r}")
        if name in INTS and abs(value) > MOST_INT:
            raise OverflowError(f"{function}: {name} is {value}, too large for a C int")
    return {name: int(value) for name, value in given.items()}


def _plain(given: dict[str, int], dtype: str, compute: int) -> None:
    _submit(given, [_product(given, (dtype, dtype, dtype), compute)])


def _strided(given: dict[str, int], types: tuple[str, ...], compute: int) -> None:
    one = _product(given, types, compute)
    steps = given["strideA"], given["strideB"], given["strideC"]
    moved = [
        [m.moved(i * step) for m, step in zip((one.a, one.b, one.c), steps, strict=True)]
        for i in range(_count(given))
    ]
    if len(moved) > 1 and abs(steps[2]) < one.c.ld * (one.c.columns - 1) + one.c.rows:
        raise CUBLASError("CUBLAS_STATUS_INVALID_VALUE: results of a batch overlap")
    _submit(given, [one.with_matrices(*matrices) for matrices in moved])


def _batched(given: dict[str, int], dtype: str, compute: int) -> None:
    """Addresses of the matrices are read on the device: when the product runs."""
    lists = [_pointers(given[f"{name}array"], _count(given)) for name in "ABC"]
    given = {**given, **dict.fromkeys("ABC", 0)}
    one = _product(given, (dtype, dtype, dtype), compute)
    for place in lists:
        memory.device.view(place)

    def work() -> None:
        order.reads(*lists)
        addresses = zip(*(memory.device.view(place).tolist() for place in lists), strict=True)
        for a, b, c in addresses:
            product = one.with_matrices(one.a.at(a), one.b.at(b), one.c.at(c))
            product.check()
            product.run()

    if given["m"] and given["n"]:
        streams.submit(work)


def _pointers(address: int, count: int) -> Span:
    if address % 8:
        raise CUBLASError(f"{address:#x} is not aligned to pointers")
    return Span(address, (count,), np.dtype(np.uint64), (8,))


def _count(given: dict[str, int]) -> int:
    if given["batchCount"] < 0:
        raise CUBLASError("CUBLAS_STATUS_INVALID_VALUE: batchCount < 0")
    return int(given["batchCount"])


def _types(given: dict[str, int]) -> tuple[str, str, str]:
    for name in "ABC":
        if given[f"{name}type"] not in TYPES:
            raise NotImplementedError(f"{name}type {given[f'{name}type']} is not in the stand-in")
    return TYPES[given["Atype"]], TYPES[given["Btype"]], TYPES[given["Ctype"]]


def _product(given: dict[str, int], types: tuple[str, ...], compute: int) -> Product:
    _check_handle(given["handle"])
    transa, transb, m, n, k = (given[x] for x in ("transa", "transb", "m", "n", "k"))
    if not {transa, transb} <= {gemm.OP_N, gemm.OP_T, gemm.OP_C} or min(m, n, k) < 0:
        raise CUBLASError(f"CUBLAS_STATUS_INVALID_VALUE: {transa} {transb} {m} {n} {k}")
    a, b, c = types
    if a != b or (a, c) not in COMBINATIONS.get(compute, ()):
        raise CUBLASError(f"CUBLAS_STATUS_NOT_SUPPORTED: {a} x {b} -> {c}, compute {compute}")
    if compute == gemm.COMPUTE_32F and a == "float32":
        compute = _single()
    return Product(
        transa,
        transb,
        _scalar(given["alpha"], compute),
        _scalar(given["beta"], compute),
        compute,
        Matrix(given["A"], a, *((m, k) if transa == gemm.OP_N else (k, m)), given["lda"]),
        Matrix(given["B"], b, *((k, n) if transb == gemm.OP_N else (n, k)), given["ldb"]),
        Matrix(given["C"], c, m, n, given["ldc"]),
    )


def _scalar(address: int, compute: int) -> float:
    """Alpha or beta: the address of a number on the host, of the type computed with."""
    if memory.device.holds(address):
        raise CUBLASError("alpha and beta must lie on the host (pointer mode is host)")
    if address < 4096:
        raise CUBLASError(f"alpha and beta are addresses, got {address}")
    ctype = ctypes.c_double if compute in gemm.WIDE else ctypes.c_float
    return float(ctype.from_address(address).value)


def _submit(given: dict[str, int], products: list[Product]) -> None:
    for product in products:
        product.check()

    def work() -> None:
        for product in products:
            product.run()

    if products and given["m"] and given["n"]:
        streams.submit(work)


def _single() -> int:
    """float32 products follow the math mode."""
    return (
        gemm.COMPUTE_32F_FAST_TF32
        if _math_mode[0] & ~FULL_PRECISION_SUMS == TF32_MATH
        else gemm.COMPUTE_32F
    )


def _check_handle(handle: int) -> None:
    if handle != CUBLAS_HANDLE:
        raise CUBLASError("CUBLAS_STATUS_NOT_INITIALIZED: not a handle")


_math_mode = [DEFAULT_MATH]
