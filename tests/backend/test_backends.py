"""One suite for every backend: NumPy gives the numbers, null the same shapes and dtypes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from gpudb.backend import (
    DEVICES,
    Backend,
    NullBackend,
    NumpyBackend,
    open_backend,
)
from gpudb.backend.null import ghost
from gpudb.kernels.elementwise import MAPS, ZIPS
from gpudb.kernels.pool import pool
from gpudb.types import STORAGE_DTYPES
from tests.cuda.backends import emulated
from tests.kernels.kernel_calls import calls

BACKENDS = [
    "numpy",
    "jit",
    "null",
    pytest.param("emulated", marks=pytest.mark.proof),
    pytest.param("cuda", marks=pytest.mark.gpu),
]
"""``emulated`` is the CUDA backend over stand-ins, ``cuda`` the same on a GPU."""

READS_DEVICE_NUMBERS = {
    *("attention", "attention_context", "attention_scores"),
    *("embedding_layer_norm", "pair_softmax", "pool"),
}
"""Kernels whose row numbers or offsets are inputs of a run; others get what a join decided, on the
host."""

DTYPES = ["float32", "float64"]
VERBS = {name for name in vars(Backend) if not name.startswith("_")}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "emulated":
        with emulated() as found:
            yield found
    else:
        yield open_backend(request.param)


def _x(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(7).standard_normal(shape).astype(dtype)


def _check(backend: Backend, found: Any, expected: Any) -> None:
    """Equal shape and dtype; where the backend computes, equal numbers too."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if backend.computes:
        found = backend.to_host(found)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    else:
        assert _base_nbytes(found) <= 8


def _base_nbytes(x: Any) -> int:
    """Bytes of the memory behind an array."""
    strides = zip(x.shape, x.strides, strict=True)
    return int(x.itemsize + sum(abs(s) * (n - 1) for n, s in strides if n)) if x.size else 0


def test_this_file_tests_every_verb() -> None:
    tested = inspect.getsource(import_module(__name__))
    assert len(VERBS) == 22
    assert [verb for verb in sorted(VERBS) if f"backend.{verb}" not in tested] == []
    for kind in (NumpyBackend, NullBackend):
        assert {name for name in dir(kind) if not name.startswith("_")} == VERBS


def test_names(backend: Backend) -> None:
    assert backend.name in DEVICES
    assert backend.computes == (backend.name != "null")


@pytest.mark.parametrize("dtype", [*DTYPES, "int32", "int64"])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 0, 4), (2, 3)])
def test_to_device_and_back(backend: Backend, shape: tuple[int, ...], dtype: str) -> None:
    x = np.ones(shape, dtype)
    device = backend.to_device(x)
    assert (device.shape, device.dtype) == (x.shape, x.dtype)
    host = backend.to_host(device)
    assert (host.shape, host.dtype) == (x.shape, x.dtype)
    assert isinstance(host, np.ndarray)
    if backend.computes or dtype.startswith("int"):
        np.testing.assert_array_equal(host, x)


def test_numpy_shares_memory_with_the_host() -> None:
    x = _x(3)
    backend = NumpyBackend()
    assert np.shares_memory(backend.to_host(backend.to_device(x)), x)


@pytest.mark.parametrize("dtype", STORAGE_DTYPES)
def test_widen(backend: Backend, dtype: str) -> None:
    stored = np.array([[0, 1, 2]], STORAGE_DTYPES[dtype])
    wide = "float32" if dtype in ("float16", "bfloat16") else dtype
    found = backend.widen(backend.to_device(stored), dtype)
    assert (found.shape, found.dtype) == ((1, 3), np.dtype(wide))


def test_widen_is_exact() -> None:
    backend = NumpyBackend()
    numbers = np.array([0.0, -0.0, 1.5, -2.25, np.inf, np.nan, 2.0**-14], np.float32)
    bits = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    np.testing.assert_array_equal(backend.widen(bits, "bfloat16"), numbers)
    np.testing.assert_array_equal(backend.widen(numbers.astype(np.float16), "float16"), numbers)


@pytest.mark.parametrize("dtype", [*DTYPES, "int32"])
@pytest.mark.parametrize("lengths", [[3], [0, 2], [1, 2, 3]])
def test_concat(backend: Backend, lengths: list[int], dtype: str) -> None:
    parts = [np.ones((n, 2, 3), dtype) for n in lengths]
    found = backend.concat([backend.to_device(p) for p in parts])
    _check(backend, found, np.ones((sum(lengths), 2, 3), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [[], [2], [0, 0, 4, 1]])
def test_take(backend: Backend, rows: list[int], dtype: str) -> None:
    x = _x(5, 2, dtype=dtype)
    found = backend.take(backend.to_device(x), np.array(rows, np.int64))
    expected = np.array([x[r] for r in rows], dtype).reshape(len(rows), 2)
    _check(backend, found, expected)


@pytest.mark.parametrize(
    "dtypes", [("float32", "float32"), ("float64", "float32"), ("float32", "float64")]
)
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3), (3, 4)),
        ((0, 3), (3, 4)),
        ((2, 0), (0, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 1)),
    ],
)
def test_matmul(
    backend: Backend,
    left: tuple[int, ...],
    right: tuple[int, ...],
    transpose: bool,
    dtypes: tuple[str, str],
) -> None:
    a, b = _x(*left, dtype=dtypes[0]), _x(*right, dtype=dtypes[1])
    given = np.ascontiguousarray(b.swapaxes(-1, -2)) if transpose else b
    found = backend.matmul(backend.to_device(a), backend.to_device(given), transpose)
    _check(backend, found, np.einsum("...ik,...kj->...ij", a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_of_matrices_that_lie_anywhere(backend: Backend, dtype: str) -> None:
    a, b = _x(2, 3, 4, 5, dtype=dtype), _x(3, 1, 5, 6, dtype=dtype)
    left = backend.to_device(a).transpose(1, 0, 2, 3)
    found = backend.matmul(left, backend.to_device(b))
    _check(backend, found, np.matmul(a.transpose(1, 0, 2, 3), b))


@pytest.mark.parametrize("activation", [None, *MAPS])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_linear_by_a_packed_weight(backend: Backend, rows: int, activation: str | None) -> None:
    x, weight, bias = _x(rows, 3), _x(4, 3), np.abs(_x(4)) + 4
    packed = backend.pack(backend.to_device(weight))
    assert backend.packs in (None, "float32")
    assert backend.attends is None  # nothing is rounded unless it is asked for
    found = backend.linear(backend.to_device(x), packed, backend.to_device(bias), activation)
    product = x @ weight.T + bias
    _check(backend, found, MAPS[activation](product) if activation else product)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_shared_operators_give_the_same_bits(backend: Backend, threads: int) -> None:
    kernel = import_module("gpudb.kernels.attention").attention
    x, bias, offsets = _x(23, 3 * 24), _x(3 * 24), np.array([0, 1, 20, 23])
    weight, q, k, v = (backend.to_device(a) for a in (_x(100, 24), *np.split(x, 3, axis=1)))
    args = (q, k, v, backend.to_device(offsets), 4, 0.5, False, None, backend.to_device(bias))

    def run() -> list[Any]:
        product = backend.linear(q, backend.pack(weight), backend.to_device(_x(100)), "gelu")
        return [product, backend.call(kernel, *args)]

    alone = run()
    with backend.together(threads):
        shared = [run() for _ in range(50)]
    for found in (*shared, run()):
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_array_equal(backend.to_host(one), backend.to_host(other))


def test_matmul_by_a_packed_weight(backend: Backend) -> None:
    x, weight = _x(5, 3), _x(4, 3)
    packed = backend.pack(backend.to_device(weight))
    _check(backend, backend.matmul(backend.to_device(x), packed, True), x @ weight.T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 2), (1,), (2, 3, 4)])
@pytest.mark.parametrize("fn", sorted(MAPS))
def test_map(backend: Backend, fn: str, shape: tuple[int, ...], dtype: str) -> None:
    x = np.abs(_x(*shape, dtype=dtype))
    _check(backend, backend.map(fn, backend.to_device(x)), MAPS[fn](x))


@pytest.mark.parametrize(
    "dtypes", [("float32", "float32"), ("float64", "float32"), ("float32", "float64")]
)
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((4, 2, 3), (4, 1, 3)), ((0, 3), (3,))])
@pytest.mark.parametrize("fn", sorted(ZIPS))
def test_zip(
    backend: Backend,
    fn: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    dtypes: tuple[str, str],
) -> None:
    x, y = (_x(*s, dtype=d) for s, d in zip(shapes, dtypes, strict=True))
    found = backend.zip(fn, backend.to_device(x), backend.to_device(y))
    _check(backend, found, ZIPS[fn](x, y))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(calls()))
def test_call(backend: Backend, name: str, dtype: str) -> None:
    kernel = getattr(import_module(f"gpudb.kernels.{name}"), name)
    for on_host, again in zip(calls(dtype)[name], calls(dtype)[name], strict=True):
        expected = kernel.reference(*on_host)
        whole_numbers = name in READS_DEVICE_NUMBERS
        given = (_to_device(backend, a, whole_numbers) for a in again)
        _check(backend, backend.call(kernel, *given), expected)


def _to_device(backend: Backend, argument: Any, whole_numbers: bool) -> Any:
    if isinstance(argument, list):
        return [_to_device(backend, a, whole_numbers) for a in argument]
    if not isinstance(argument, np.ndarray) or (
        argument.dtype in (np.int32, np.int64) and not whole_numbers
    ):
        return argument
    return backend.to_device(argument)


@pytest.mark.parametrize("columns", [0, 1, 2, 3])
@pytest.mark.parametrize("rows", [(0, 0), (0, 3), (1, 1), (7, 5)])
def test_equi_join(backend: Backend, rows: tuple[int, int], columns: int) -> None:
    random = np.random.default_rng((*rows, columns))
    left, right = (random.integers(0, 3, (n, columns), dtype=np.int32) for n in rows)
    found = backend.equi_join(left, right)
    expected = [
        (i, j) for i in range(rows[0]) for j in range(rows[1]) if (left[i] == right[j]).all()
    ]
    assert list(zip(*(side.tolist() for side in found), strict=True)) == expected


def test_recorded_runs_read_new_inputs(backend: Backend) -> None:
    given = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.ones(3, np.float32)}

    def run(arrays: Mapping[str, Any]) -> Any:
        return backend.map("square", backend.zip("add", arrays["x"], arrays["y"]))

    replay = backend.record(run, {name: backend.to_device(x) for name, x in given.items()})
    if replay is None:  # no such thing: runs are made one by one
        assert backend.name != "cuda"
        return
    factors = [np.float32(f) for f in (1, -2)]
    # All results first: a later replay leaves those before alone.
    found = [replay({name: x * factor for name, x in given.items()}) for factor in factors]
    for factor, result in zip(factors, found, strict=True):
        expected = ((given["x"] + given["y"]) * factor) ** 2
        np.testing.assert_array_equal(backend.to_host(result), expected)


def test_a_function_repeats_itself(backend: Backend) -> None:
    """That all repeats have the bits of a run: tests/backend/jit/test_program.py."""
    given = {"x": _x(5, 3), "sequences": np.array([0, 2, 5], np.int32)}
    repeats = backend.repeats("sequences")
    if repeats is None:  # no such thing: runs are made one by one
        assert backend.name != "jit"
        return

    def run(arrays: Mapping[str, Any]) -> Any:
        return backend.call(pool, arrays["x"], arrays["sequences"], "mean", None)[None]

    for factor in (1, -2, 3):
        inputs = {**given, "x": np.float32(factor) * given["x"]}
        np.testing.assert_array_equal(repeats(run, inputs), run(inputs)[0])


SEQUENCES = [[0], [0, 0], [0, 1], [0, 3, 3, 7]]


@pytest.mark.parametrize("offsets", SEQUENCES)
@pytest.mark.parametrize("beyond", [0, 2], ids=["full", "filled up"])
def test_packed_sequences(backend: Backend, offsets: list[int], beyond: int) -> None:
    rows = offsets[-1] + beyond
    given = {
        "token_ids": np.arange(rows, dtype=np.int32),
        "rows": _x(rows, 3),
        "sequences": np.array(offsets, np.int32),
    }
    found = backend.upload(given, "sequences")
    assert set(found) == set(given)
    _check(backend, found["rows"], given["rows"])
    for name in ("token_ids", "sequences"):  # numbers of rows, which null keeps as well
        assert found[name].dtype == np.int32
        np.testing.assert_array_equal(backend.to_host(found[name]), given[name])


def test_synchronize_waits_for_what_was_launched(backend: Backend) -> None:
    x = backend.map("negative", backend.to_device(_x(4)))
    backend.synchronize()
    _check(backend, x, -_x(4))


def test_memory(backend: Backend) -> None:
    assert backend.memory_nbytes() > 1 << 20


@pytest.mark.parametrize("verb", ["map", "zip", "matmul"])
def test_overflow_gives_infinity_without_a_warning(verb: str) -> None:
    backend = NumpyBackend()
    big = np.full((2, 2), 3e38, np.float32)
    found = {
        "map": lambda: backend.map("exp", big),
        "zip": lambda: backend.zip("multiply", big, big),
        "matmul": lambda: backend.matmul(big, big),
    }[verb]()
    assert np.isinf(found).all()


def test_division_by_zero_is_as_in_ieee() -> None:
    backend = NumpyBackend()
    found = backend.zip("divide", np.array([1, -1, 0], np.float32), np.zeros(3, np.float32))
    np.testing.assert_array_equal(found, np.array([np.inf, -np.inf, np.nan], np.float32))


def test_a_ghost_takes_the_memory_of_one_element() -> None:
    x = ghost((1 << 20, 1 << 20), np.float32)
    assert x.nbytes == 4 << 40
    assert _base_nbytes(x) == 4
    assert _base_nbytes(x[100:200].reshape(-1, 50)) == 4
    assert not x.flags.writeable
