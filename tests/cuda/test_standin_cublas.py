"""Products of the stand-in's cuBLAS against np.matmul, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.cuda.standin.errors import CUBLASError, IllegalAddress
from tests.cuda.standin.rounding import round_to_bfloat16, round_to_tf32, widen_bfloat16

ONE = {"float32": np.array(1, np.float32), "float64": np.array(1, np.float64)}
ZERO = {"float32": np.array(0, np.float32), "float64": np.array(0, np.float64)}


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin() as module:
        yield module


@pytest.fixture
def handle(cp: Any) -> int:
    return int(cp.cuda.device.get_cublas_handle())


def normal(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(shape).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transa", [0, 1])
@pytest.mark.parametrize("transb", [0, 1])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 7), (8, 2, 0), (4, 1, 33)])
def test_column_major_product(
    cp: Any, handle: int, dtype: str, transa: int, transb: int, size: tuple[int, int, int]
) -> None:
    """Matrices lie in larger ones: every leading dimension is more than the rows."""
    m, n, k = size
    rng = np.random.default_rng(0)
    stored_a = np.asfortranarray(rng.standard_normal((m + 2, k) if not transa else (k + 2, m)))
    stored_b = np.asfortranarray(rng.standard_normal((k + 3, n) if not transb else (n + 3, k)))
    a, b = (cp.asarray(np.ascontiguousarray(x.T), dtype=dtype) for x in (stored_a, stored_b))
    c = cp.zeros((n, m + 1), dtype)
    product = {"float32": cp.cuda.cublas.sgemm, "float64": cp.cuda.cublas.dgemm}[dtype]
    alpha, beta = np.array(2, dtype), np.array(0, dtype)
    product(
        *(handle, transa, transb, m, n, k, alpha.ctypes.data),
        *(a.data.ptr, stored_a.shape[0], b.data.ptr, stored_b.shape[0]),
        *(beta.ctypes.data, c.data.ptr, m + 1),
    )
    left = stored_a.T[:, :k] if transa else stored_a[:m]
    right = stored_b.T[:k] if transb else stored_b[:k]
    left, right = (left[:m], right[:, :n])
    got = c.get()
    want = 2 * np.matmul(left, right)
    assert np.allclose(got[:, :m].T, want, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)
    assert (got[:, m] == 0).all()


def test_beta_adds_and_zero_forgets(cp: Any, handle: int) -> None:
    a, b = normal(2, 3), normal(4, 2)
    one, two, zero = (np.array(x, np.float32) for x in (1, 2, 0))
    x, y = cp.asarray(a), cp.asarray(b)

    def run(c: Any, beta: Any) -> Any:
        cp.cuda.cublas.sgemm(
            *(handle, 0, 0, 3, 4, 2, one.ctypes.data, x.data.ptr, 3, y.data.ptr, 2),
            *(beta.ctypes.data, c.data.ptr, 3),
        )
        return c.get()

    want = b @ a
    assert np.allclose(run(cp.empty((4, 3), np.float32), zero), want)
    before = normal(4, 3)
    assert np.allclose(run(cp.asarray(before), two), want + 2 * before)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("wide", [False, True])
def test_half_inputs_are_added_up_in_float(cp: Any, handle: int, kind: str, wide: bool) -> None:
    runtime, cublas = cp.cuda.runtime, cp.cuda.cublas
    code = {"float16": runtime.CUDA_R_16F, "bfloat16": runtime.CUDA_R_16BF}[kind]
    narrow = (lambda x: x.astype("float16")) if kind == "float16" else round_to_bfloat16
    back = (lambda x: x.astype("float32")) if kind == "float16" else widen_bfloat16
    a, b = narrow(normal(40, 3)), narrow(normal(4, 40))
    x, y = cp.asarray(a), cp.asarray(b)
    c = cp.empty((4, 3), np.float32 if wide else x.dtype)
    cublas.gemmEx(
        *(handle, 0, 0, 3, 4, 40, ONE["float32"].ctypes.data),
        *(x.data.ptr, code, 3, y.data.ptr, code, 40, ZERO["float32"].ctypes.data),
        *(c.data.ptr, runtime.CUDA_R_32F if wide else code, 3),
        *(cublas.CUBLAS_COMPUTE_32F, cublas.CUBLAS_GEMM_DEFAULT),
    )
    want = back(b).astype(np.float32) @ back(a).astype(np.float32)
    got = c.get() if wide else back(c.get())
    assert np.allclose(got, want, rtol=0 if wide else 0.01, atol=1e-5)


def test_tf32_only_where_asked_for(cp: Any, handle: int) -> None:
    runtime, cublas = cp.cuda.runtime, cp.cuda.cublas
    a, b = normal(16, 5), normal(6, 16)
    x, y, c = cp.asarray(a), cp.asarray(b), cp.empty((6, 5), np.float32)

    def run(compute: int) -> Any:
        cublas.gemmEx(
            *(handle, 0, 0, 5, 6, 16, ONE["float32"].ctypes.data),
            *(x.data.ptr, runtime.CUDA_R_32F, 5, y.data.ptr, runtime.CUDA_R_32F, 16),
            *(ZERO["float32"].ctypes.data, c.data.ptr, runtime.CUDA_R_32F, 5),
            *(compute, cublas.CUBLAS_GEMM_DEFAULT),
        )
        return c.get()

    full, rounded = b @ a, round_to_tf32(b) @ round_to_tf32(a)
    assert np.allclose(run(cublas.CUBLAS_COMPUTE_32F), full, atol=1e-6)
    fast = run(cublas.CUBLAS_COMPUTE_32F_FAST_TF32)
    assert np.allclose(fast, rounded, atol=1e-6)
    assert np.abs(fast - full).max() > 1e-4
    cublas.setMathMode(handle, cublas.CUBLAS_TF32_TENSOR_OP_MATH)
    assert cublas.getMathMode(handle) == cublas.CUBLAS_TF32_TENSOR_OP_MATH
    assert np.array_equal(run(cublas.CUBLAS_COMPUTE_32F), fast)


def test_tf32_keeps_ten_bits() -> None:
    x = np.array([1, 1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -1 - 2**-11, np.inf, np.nan], np.float32)
    want = [1, 1 + 2**-10, 1 + 2**-10, 1, -1 - 2**-10, np.inf, np.nan]
    assert np.array_equal(round_to_tf32(x), np.array(want, np.float32), equal_nan=True)


def test_bfloat16_rounds_to_even() -> None:
    x = np.array([1, 1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-7, np.inf, np.nan], np.float32)
    want = [1, 1, 1 + 2**-6, -1 - 2**-7, np.inf, np.nan]
    assert np.array_equal(widen_bfloat16(round_to_bfloat16(x)), np.float32(want), equal_nan=True)


def test_strided_batch(cp: Any, handle: int) -> None:
    runtime, cublas = cp.cuda.runtime, cp.cuda.cublas
    a, b = normal(3, 2, 4), normal(5, 2)
    x, y, c = cp.asarray(a), cp.asarray(b), cp.empty((3, 5, 4), np.float32)
    f = runtime.CUDA_R_32F
    cublas.gemmStridedBatchedEx(
        *(handle, 0, 0, 4, 5, 2, ONE["float32"].ctypes.data),
        *(x.data.ptr, f, 4, 8, y.data.ptr, f, 2, 0, ZERO["float32"].ctypes.data),
        *(c.data.ptr, f, 4, 20, 3, cublas.CUBLAS_COMPUTE_32F, cublas.CUBLAS_GEMM_DEFAULT),
    )
    assert np.allclose(c.get(), b @ a, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batch_of_pointers(cp: Any, handle: int, dtype: str) -> None:
    a, b = normal(3, 2, 4, dtype=dtype), normal(3, 5, 2, dtype=dtype)
    x, y, c = cp.asarray(a), cp.asarray(b), cp.empty((3, 5, 4), dtype)
    order = [2, 0, 1]
    pointers = [
        cp.asarray(np.array([z.data.ptr + i * z[0].nbytes for i in order], np.uint64))
        for z in (x, y, c)
    ]
    product = cp.cuda.cublas.sgemmBatched if dtype == "float32" else cp.cuda.cublas.dgemmBatched
    product(
        *(handle, 0, 0, 4, 5, 2, ONE[dtype].ctypes.data),
        *(pointers[0].data.ptr, 4, pointers[1].data.ptr, 2, ZERO[dtype].ctypes.data),
        *(pointers[2].data.ptr, 4, 3),
    )
    assert np.allclose(c.get(), b @ a, atol=1e-6)


def call(cp: Any, own_handle: int, **changes: int) -> Any:
    """What a right call of sgemm makes of ones, with some arguments changed: ``(5, 4)``."""
    x, y, c = (cp.asarray(np.ones(shape, np.float32)) for shape in ((2, 4), (5, 2), (5, 4)))
    given = {
        "handle": own_handle,
        "transa": 0,
        "transb": 0,
        "m": 4,
        "n": 5,
        "k": 2,
        "alpha": ONE["float32"].ctypes.data,
        "A": x.data.ptr,
        "lda": 4,
        "B": y.data.ptr,
        "ldb": 2,
        "beta": ZERO["float32"].ctypes.data,
        "C": c.data.ptr,
        "ldc": 4,
    }
    cp.cuda.cublas.sgemm(**{**given, **changes})
    return c.get()


def test_the_right_call(cp: Any, handle: int) -> None:
    assert (call(cp, handle) == 2).all()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"k": 3}, (IllegalAddress, CUBLASError)),
        ({"n": 6}, IllegalAddress),
        ({"lda": 5}, IllegalAddress),
        ({"lda": 3}, CUBLASError),
        ({"ldc": 3}, CUBLASError),
        ({"transb": 1}, CUBLASError),
        ({"A": 64}, IllegalAddress),
        ({"alpha": 1}, CUBLASError),
        ({"alpha": 1.0}, TypeError),
        ({"handle": 0}, CUBLASError),
        ({"transa": 7}, CUBLASError),
        ({"m": 2**31}, OverflowError),
    ],
)
def test_products_out_of_bounds_or_misused(
    cp: Any, handle: int, changes: dict[str, int], error: Any
) -> None:
    with pytest.raises(error):
        call(cp, handle, **changes)


def test_types_that_cublas_has_not(cp: Any, handle: int) -> None:
    runtime, cublas = cp.cuda.runtime, cp.cuda.cublas
    x = cp.zeros((2, 2), np.float32)
    f, h = runtime.CUDA_R_32F, runtime.CUDA_R_16F
    for types, compute in (
        ((h, f, f), cublas.CUBLAS_COMPUTE_32F),
        ((f, f, h), cublas.CUBLAS_COMPUTE_32F),
        ((f, f, f), cublas.CUBLAS_COMPUTE_64F),
    ):
        with pytest.raises(CUBLASError, match="NOT_SUPPORTED"):
            cublas.gemmEx(
                *(handle, 0, 0, 1, 1, 1, ONE["float64"].ctypes.data, x.data.ptr, types[0], 1),
                *(x.data.ptr, types[1], 1, ZERO["float64"].ctypes.data),
                *(x.data.ptr, types[2], 1, compute, cublas.CUBLAS_GEMM_DEFAULT),
            )


def test_missing_argument(cp: Any, handle: int) -> None:
    with pytest.raises(TypeError, match="missing"):
        cp.cuda.cublas.sgemm(handle, 0, 0)


def test_pointer_on_the_device_is_no_alpha(cp: Any, handle: int) -> None:
    one = cp.asarray(ONE["float32"])
    with pytest.raises(CUBLASError, match="host"):
        call(cp, handle, alpha=one.data.ptr)
