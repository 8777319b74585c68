"""What was noted down of one batch, run for others: the bits of running them as usual."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from gpudb.backend.jit.arena import Arena, Arenas
from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.program import MOST_ROWS
from gpudb.backend.jit.rows import CONFLICT, new_rows, one_after_the_other, spread
from gpudb.kernels.attention import attention
from gpudb.kernels.embedding_layer_norm import embedding_layer_norm
from gpudb.kernels.layer_norm import layer_norm
from gpudb.kernels.pool import pool
from gpudb.kernels.residual_layer_norm import residual_layer_norm
from gpudb.types import HostArray
from tests.backend.jit.factors import LAID_OUT, numbers

WIDTH, WIDE, VOCABULARY = 12, CONFLICT // 4, 23
"""One product has rows a multiple of ``CONFLICT`` apart."""

Inputs = Mapping[str, HostArray]
Function = Callable[[Inputs], HostArray]

BATCHES = ([3], [1, 1, 5], [4, 0, 2], [2] * 40, [300, 7, 1], [MOST_ROWS - 1, 1], [2], [3])


def batch(lengths: Sequence[int], seed: int = 0) -> Inputs:
    """Token ids and offsets of sequences of these lengths."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    ids = np.random.default_rng(seed).integers(0, VOCABULARY, offsets[-1]).astype(np.int32)
    return {"token_ids": ids, "sequences": offsets}


class Layer:
    """One layer of an encoder, with every kind of job; its result by token or by sequence."""

    def __init__(self, backend: JitBackend, pooled: bool = True) -> None:
        self.backend, self.pooled = backend, pooled
        self.table = numbers(VOCABULARY, WIDTH)
        shapes = [(3 * WIDTH, WIDTH), (WIDE, WIDTH), (WIDTH, WIDE)]
        self.weights = [backend.pack(numbers(*s, seed=i)) for i, s in enumerate(shapes)]
        self.biases = [numbers(s[0], seed=i) for i, s in enumerate(shapes)]
        self.scale, self.shift = numbers(2, WIDTH, seed=9)

    def __call__(self, inputs: Inputs) -> HostArray:
        call, offsets = self.backend.call, inputs["sequences"]
        norm = (self.scale, self.shift, 1e-5)
        x = call(embedding_layer_norm, [self.table], [inputs["token_ids"]], *norm)
        merged = self.backend.linear(x, self.weights[0], self.biases[0], None)
        q, k, v = (merged[:, i * WIDTH : (i + 1) * WIDTH] for i in range(3))
        x = call(residual_layer_norm, call(attention, q, k, v, offsets, 3, 0.5), None, x, *norm)
        wide = self.backend.linear(x, self.weights[1], self.biases[1], "gelu")
        narrow = self.backend.matmul(wide, self.weights[2], True)
        x = call(residual_layer_norm, narrow, self.biases[2], x, *norm)
        return (call(pool, x, offsets, "mean", 1e-12) if self.pooled else x)[None]


@pytest.fixture
def backend() -> JitBackend:
    return JitBackend()


def never(inputs: Inputs) -> HostArray:
    raise AssertionError("noted down already")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("first", range(len(BATCHES)))
def test_every_batch_has_the_bits_of_a_run(
    backend: JitBackend, first: int, pooled: bool, threads: int
) -> None:
    layer, repeats = Layer(backend, pooled), backend.repeats("sequences")
    assert repeats is not None
    given = [batch(lengths, seed) for seed, lengths in enumerate(BATCHES)]
    with backend.together(threads):
        np.testing.assert_array_equal(repeats(layer, given[first]), layer(given[first])[0])
        for inputs in given:
            np.testing.assert_array_equal(repeats(never, inputs), layer(inputs)[0])


def test_results_are_arrays_of_their_own(backend: JitBackend) -> None:
    layer, repeats = Layer(backend), backend.repeats("sequences")
    assert repeats is not None
    given = [batch([5, 2], seed) for seed in range(4)]
    found = [repeats(layer, inputs) for inputs in given]
    for inputs, result in zip(given, found, strict=True):
        np.testing.assert_array_equal(result, layer(inputs)[0])


@pytest.mark.parametrize("lengths", [[], [0], [0, 0], [1], [1, 1], [1, 0, 2], [MOST_ROWS, 1]])
def test_what_cannot_be_told_apart_or_is_too_large_is_left_to_the_caller(
    backend: JitBackend, lengths: list[int]
) -> None:
    layer, repeats = Layer(backend), backend.repeats("sequences")
    assert repeats is not None
    assert repeats(never, batch(lengths)) is None
    np.testing.assert_array_equal(repeats(layer, batch([2])), layer(batch([2]))[0])
    assert repeats(never, batch(lengths)) is None
    assert repeats(never, batch([2])) is not None


def _doubled(backend: JitBackend) -> Function:
    layer = Layer(backend)
    return lambda inputs: 2 * layer(inputs)


def _half_way(backend: JitBackend) -> Function:
    """NumPy in the middle."""
    layer = Layer(backend, pooled=False)

    def run(inputs: Inputs) -> HostArray:
        x = backend.map("tanh", layer(inputs)[0])
        return np.asarray(backend.call(pool, x, inputs["sequences"], "max", None))[None]

    return run


def _by_distance(backend: JitBackend) -> Function:
    """What is added to scores depends on the longest sequence."""
    layer, relative = Layer(backend, pooled=False), numbers(1, 2 * MOST_ROWS - 1)

    def run(inputs: Inputs) -> HostArray:
        x, offsets = layer(inputs)[0], inputs["sequences"]
        args = (x, x, x, offsets, 3, 0.5, False, None, None, relative)
        return np.asarray(backend.call(attention, *args))[None]

    return run


def _of_fixed_height(backend: JitBackend) -> Function:
    """Rows that are not the batch's."""
    layer, weight, x = Layer(backend), backend.pack(numbers(4, 4)), numbers(5, 4)

    def run(inputs: Inputs) -> HostArray:
        backend.matmul(x, weight, True)
        return layer(inputs)

    return run


def _padded(backend: JitBackend) -> Function:
    """Columns that are set to zero beside the jobs."""
    layer, scale = Layer(backend, pooled=False), numbers(2, WIDTH - 1)

    def run(inputs: Inputs) -> HostArray:
        x = backend.call(layer_norm, layer(inputs)[0], *scale, 1e-5)
        return np.asarray(backend.call(pool, x, inputs["sequences"], "mean", None))[None]

    return run


@pytest.mark.parametrize("make", [_doubled, _half_way, _by_distance, _of_fixed_height, _padded])
def test_what_is_not_all_jobs_runs_as_usual(
    backend: JitBackend, make: Callable[[JitBackend], Function]
) -> None:
    run, repeats = make(backend), backend.repeats("sequences")
    assert repeats is not None
    inputs = batch([4, 3])
    np.testing.assert_array_equal(repeats(run, inputs), run(inputs)[0])
    assert repeats(never, inputs) is None


def test_row_numbers_of_no_table_are_left_to_the_caller(backend: JitBackend) -> None:
    layer, repeats = Layer(backend), backend.repeats("sequences")
    assert repeats is not None
    good, bad = batch([4, 3]), batch([4, 3], seed=1)
    expected = layer(good)[0]
    assert repeats(layer, good) is not None
    for number in (VOCABULARY, -1, 2**31 - 1, -(2**31)):
        bad["token_ids"][5] = number
        assert repeats(never, bad) is None
        np.testing.assert_array_equal(repeats(never, good), expected)
    fresh = backend.repeats("sequences")
    assert fresh is not None
    with pytest.raises(IndexError):
        fresh(layer, bad)
    np.testing.assert_array_equal(fresh(layer, good), expected)


def test_weights_stay_as_long_as_their_program(backend: JitBackend) -> None:
    layer, repeats = Layer(backend), backend.repeats("sequences")
    assert repeats is not None
    inputs = batch([4, 3])
    expected = layer(inputs)[0]
    repeats(layer, inputs)
    del layer
    gc.collect()
    _ = [np.full((WIDE, WIDTH), np.nan, np.float32) for _ in range(50)]
    np.testing.assert_array_equal(repeats(never, inputs), expected)


def test_threads_at_once_and_models_in_turn(backend: JitBackend) -> None:
    layers = [Layer(backend), Layer(backend, pooled=False)]
    repeats = [backend.repeats("sequences") for _ in layers]
    given = [batch([seed + 1, 9, 30], seed) for seed in range(4)]
    expected = [[layer(inputs)[0] for inputs in given] for layer in layers]
    meeting = Barrier(4)

    def work(number: int) -> None:
        meeting.wait(10)
        for round_ in range(60):
            which, inputs = round_ % 2, (number + round_) % 4
            found = repeats[which](layers[which], given[inputs])  # type: ignore[misc]
            np.testing.assert_array_equal(found, expected[which][inputs])

    with ThreadPoolExecutor(4) as pool_:
        list(pool_.map(work, range(4)))


def test_an_arena_hands_memory_out_again_when_no_view_is_left() -> None:
    arena = Arena()
    first = arena.new((4, 5), np.float32)
    view = first[1:, :2]
    where = first.ctypes.data
    del first
    second = arena.new((4, 5), np.float32)
    assert second.ctypes.data != where
    assert arena.nbytes == 2 * second.nbytes
    del view
    third = arena.new((10,), np.float32)
    assert third.ctypes.data == where  # of the free ones the smallest that fits
    assert arena.nbytes == 2 * second.nbytes
    assert arena.new((100,), np.int64).nbytes == 800


def test_an_arena_knows_what_lies_in_it() -> None:
    arena, other = Arena(), np.zeros(3)
    x = arena.new((3, 4), np.float32)
    assert arena.holds(x)
    assert arena.holds(x[2:, 3:])
    assert not arena.holds(other)
    assert not arena.holds_address(x.ctypes.data - 1)
    more = arena.with_rows(arena.new((30, 4), np.float32)[:2, :3], 30)
    assert more.shape == (30, 3)
    assert arena.holds(more)
    # It did not keep the memory taken.
    assert arena.new((30, 4), np.float32).ctypes.data == more.ctypes.data


def test_each_user_has_an_arena_of_its_own() -> None:
    arenas = Arenas()
    with arenas.one() as (first, one), arenas.one() as (second, other):
        assert first != second
        assert one is not other
    with pytest.raises(LookupError), arenas.one():
        raise LookupError
    with arenas.one() as (again, _):
        assert again in (first, second)


@pytest.mark.parametrize(
    "columns", [1, CONFLICT // 4 - 1, CONFLICT // 4, CONFLICT, 3 * CONFLICT // 4]
)
def test_rows_of_results_do_not_compete(columns: int) -> None:
    x = new_rows(3, columns)
    assert x.shape == (3, columns)
    assert x.strides[0] % CONFLICT
    assert spread(x) is x
    plain = numbers(3, columns)
    np.testing.assert_array_equal(spread(plain), plain)
    assert spread(plain).strides[0] % CONFLICT
    assert spread(plain[:1]).base is plain


COPIED = {"Fortran", "mirrored", "backwards", "one row, repeated"}
"""Layouts that no record can describe."""


@pytest.mark.parametrize("layout", LAID_OUT)
def test_a_record_can_say_where_rows_are(layout: str) -> None:
    x = np.asarray(LAID_OUT[layout](numbers(5, 7)), np.float32)
    found = one_after_the_other(x)
    np.testing.assert_array_equal(found, x)
    assert found.strides[1] == 4
    assert found.strides[0] >= 4 * 7
    assert (found is x) == (layout not in COPIED)
