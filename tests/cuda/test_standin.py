"""Arrays of the stand-in: what CuPy refuses is refused, the rest is as in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.cuda.standin.errors import NotInStandin


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin(device_nbytes=1 << 20) as module:
        yield module


def host(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def test_import_gives_the_standin_while_it_lasts(cp: Any) -> None:
    import cupy as imported
    from cupy.cuda import cublas

    assert imported is cp
    assert cublas.CUBLAS_OP_T == 1


def test_import_gives_the_installed_cupy_afterwards() -> None:
    cupy = pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin() as module:
        assert module is not cupy
    import cupy as imported

    assert imported is cupy


def test_new_memory_is_not_zero_and_aligned(cp: Any) -> None:
    x = cp.empty((3, 5), np.float32)
    assert np.isnan(x.get()).all()
    assert x.data.ptr % 256 == 0


def test_attributes_are_those_of_cupy(cp: Any) -> None:
    x = cp.asarray(host(4, 6))[1:, ::2]
    assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize) == ((3, 3), 2, 9, 36, 4)
    assert x.strides == (24, 8)
    assert not x.flags.c_contiguous
    interface = x.__cuda_array_interface__
    assert interface["strides"] == (24, 8)
    assert interface["data"] == (x.data.ptr, False)
    assert interface["version"] == 3


def test_views_share_memory_and_keep_it_alive(cp: Any) -> None:
    x = cp.zeros((4, 6), np.float32)
    view = x[1:3].reshape(12).view(np.int32)
    view[...] = 7
    address = x.data.ptr
    del x
    assert view.data.ptr == address + 24
    assert (view.get() == 7).all()


def test_reshape_copies_where_it_must(cp: Any) -> None:
    x = host(4, 6)
    flat = cp.asarray(x).T.reshape(-1)
    assert np.array_equal(flat.get(), x.T.reshape(-1))


def test_one_element_stays_on_the_device(cp: Any) -> None:
    x = cp.asarray(host(2, 3))
    assert isinstance(x[1, 2], cp.ndarray)
    assert float(x[1, 2]) == host(2, 3)[1, 2]


@pytest.mark.parametrize(
    "mistake",
    [
        lambda cp, x: np.asarray(x),
        lambda cp, x: np.exp(x),
        lambda cp, x: x + np.ones(3, np.float32),
        lambda cp, x: np.ones(3, np.float32) + x,
        lambda cp, x: x[np.array([0, 1])],
        lambda cp, x: cp.maximum(x, np.ones(3, np.float32)),
        lambda cp, x: cp.maximum(x, [1, 2, 3]),
        lambda cp, x: cp.take(x, np.array([0])),
        lambda cp, x: cp.ascontiguousarray(np.ones(3, np.float32)),
        lambda cp, x: cp.concatenate([x, np.ones(3, np.float32)]),
        lambda cp, x: x.__setitem__(slice(None), np.ones(3, np.float32)),
        lambda cp, x: range(x[0]),
        lambda cp, x: cp.empty(3, np.float32, device="cuda"),
        lambda cp, x: x.get(sync=True),
        lambda cp, x: cp.add(x, x, where=x),
        lambda cp, x: cp.cuda.Stream(nonblocking=True),
    ],
)
def test_type_errors(cp: Any, mistake: Any) -> None:
    with pytest.raises(TypeError):
        mistake(cp, cp.zeros(3, np.float32))


def test_names_that_cupy_has_not(cp: Any) -> None:
    for owner, name in ((cp, "from_dlpack_"), (cp.ndarray, "numpy"), (cp.cuda, "stream_")):
        with pytest.raises(AttributeError):
            getattr(owner, name)
    with pytest.raises(AttributeError):
        _ = cp.zeros(1).cpu


def test_names_that_only_the_standin_has_not(cp: Any) -> None:
    for absent in (lambda: cp.einsum, lambda: cp.zeros(1).argsort, lambda: cp.cuda.cublas.ssyrk):
        with pytest.raises(NotInStandin):
            absent()


def test_a_shape_cannot_be_assigned_to(cp: Any) -> None:
    with pytest.raises(AttributeError):
        cp.zeros(1).shape = (1, 1)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("cupy.concatenate", "tup axis out dtype casting"),
        ("cupy.ndarray.get", "stream order out blocking"),
        ("cupy.cuda.alloc_pinned_memory", "size"),
        ("cupy.cuda.runtime.memcpyAsync", "dst src size kind stream"),
        ("cupy.cuda.MemoryPool.set_limit", "size fraction"),
        ("cupy.cuda.cublas.setMathMode", "handle mode"),
        ("cupy.cuda.get_current_stream", "device_id"),
    ],
)
def test_signatures_are_read_from_the_installed_cupy(cp: Any, path: str, parameters: str) -> None:
    from tests.cuda.standin.real import signature

    known = signature(path)
    assert known is not None
    assert list(known.parameters) == parameters.split()


def test_arrays_of_others(cp: Any) -> None:
    class Owner:
        def __init__(self, x: Any) -> None:
            self.__cuda_array_interface__ = x.__cuda_array_interface__
            self.x = x

    x = cp.asarray(host(3, 4))
    borrowed = cp.asarray(Owner(x.T))
    address = x.data.ptr
    del x
    assert borrowed.data.ptr == address
    assert np.array_equal(borrowed.get(), host(3, 4).T)


def test_dlpack_is_not_handed_to_numpy(cp: Any) -> None:
    x = cp.zeros(3, np.float32)
    assert x.__dlpack_device__() == (2, 0)
    with pytest.raises(BufferError):
        np.from_dlpack(x)


@pytest.mark.parametrize(
    ("name", "nin"),
    [("add", 2), ("multiply", 2), ("maximum", 2), ("exp", 1), ("tanh", 1), ("less", 2)],
)
def test_elementwise(cp: Any, name: str, nin: int) -> None:
    operands = [host(3, 4), host(4)][:nin]
    got = getattr(cp, name)(*map(cp.asarray, operands)).get()
    want = getattr(np, name)(*operands)
    assert got.dtype == want.dtype
    assert np.array_equal(got, want)


def test_operators_follow_numpy(cp: Any) -> None:
    x, y = host(3, 4), host(4)
    a, b = cp.asarray(x), cp.asarray(y)
    assert np.array_equal((2 * a - b / 3 + np.float32(1)).get(), 2 * x - y / 3 + np.float32(1))
    a += b
    assert np.array_equal(a.get(), x + y)
    assert np.array_equal(cp.where(a > 0, a, 0).get(), np.where(x + y > 0, x + y, np.float32(0)))
    assert np.array_equal((-a).get(), -(x + y))


def test_joining_and_taking(cp: Any) -> None:
    x, y = host(3, 4), host(2, 4)
    a, b = cp.asarray(x), cp.asarray(y)
    assert np.array_equal(cp.concatenate([a, b]).get(), np.concatenate([x, y]))
    assert np.array_equal(cp.stack([a, a], axis=1).get(), np.stack([x, x], axis=1))
    rows = cp.asarray([2, 0, 2])
    assert np.array_equal(cp.take(a, rows, axis=0).get(), x[[2, 0, 2]])
    assert np.array_equal(cp.cumsum(a, axis=1).get(), np.cumsum(x, axis=1))
    assert np.array_equal(cp.arange(3).get(), np.arange(3))


def test_rows_out_of_range(cp: Any) -> None:
    with pytest.raises(IndexError):
        cp.take(cp.zeros((3, 2)), cp.asarray([3]), axis=0)
