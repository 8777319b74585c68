"""Measure what this machine can do at most: products of matrices, and bytes through memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from gpudb.backend import open_backend
from gpudb.cli.devices import available
from gpudb.config import available_threads
from gpudb.machine import Ceilings, Rates
from gpudb.types import HostArray

SHAPES = ((512, 384, 1536), (512, 768, 3072), (1024, 1024, 1024), (2048, 1024, 1024))
"""Rows, inner extent and columns of the products; the best rate counts."""
SIZES = (256 << 10, 1 << 20, 8 << 20, 384 << 20)
"""Bytes that are gone over again and again; the last are more than most caches hold, and all
threads together have as many."""
REPEATS = 7
MOVED_NBYTES = 32 << 20
"""Moved in one measurement at least: a small array is gone over many times."""

Work = Callable[[], object]
Product = Callable[[int, int, int], Work]


def busy() -> str:
    """What disturbs a measurement now; empty where nothing does, or nobody can tell."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        return ""
    if load < 0.5:
        return ""
    return (
        f"note: other programs run (load average {load:.1f} on {available_threads()} processors): "
        "rates will be too low. Measure again while nothing else runs"
    )


def measure(
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    sizes: Sequence[int] = SIZES,
    repeats: int = REPEATS,
    threads: int | None = None,
) -> Ceilings:
    """Measure; each rate is the best of ``repeats`` after a warm-up.

    The best, not the median: a ceiling is what nothing may pass, and what disturbs only slows.
    """
    threads = threads or available_threads()
    products = {"numpy float32": _product_rates(_numpy_product, shapes, repeats, threads, True)}
    for device, precision in available("jit"):
        rates = _product_rates(_packed_product(precision), shapes, repeats, threads, False)
        products[f"{device} {precision}"] = rates
    return Ceilings(
        products=products,
        moves={size: _move_rates(size, size == max(sizes), repeats, threads) for size in sizes},
        threads=threads,
        measured=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
    )


def _product_rates(
    product: Product,
    shapes: Sequence[tuple[int, int, int]],
    repeats: int,
    threads: int,
    threaded: bool,
) -> Rates:
    """GFLOP/s. "All threads" have a product each, as batches of a model run.

    A ``threaded`` library may also share one product among them; the better counts.
    """
    one, every = [], []
    for rows, inner, columns in shapes:
        flops = 2e-9 * rows * inner * columns
        works = [product(rows, inner, columns) for _ in range(threads)]
        with threadpool_limits(limits=1, user_api="blas"):
            one.append(flops / _seconds(works[:1], repeats))
            every.append(threads * flops / _seconds(works, repeats))
        if threaded and threads > 1:
            with threadpool_limits(limits=threads, user_api="blas"):
                every.append(flops / _seconds(works[:1], repeats))
    return Rates(max(one), max(*one, *every))


def _factors(rows: int, inner: int, columns: int) -> tuple[HostArray, HostArray]:
    random = np.random.default_rng(0)
    a = random.standard_normal((rows, inner), np.float32)
    return a, random.standard_normal((columns, inner), np.float32)


def _numpy_product(rows: int, inner: int, columns: int) -> Work:
    a, b = _factors(rows, inner, columns)
    out = np.empty((rows, columns), np.float32)
    return lambda: np.matmul(a, b.T, out=out)


def _packed_product(precision: str) -> Product:
    """Products of device ``jit``, by a weight that was packed before."""
    backend = open_backend("jit", precision=precision)

    def product(rows: int, inner: int, columns: int) -> Work:
        a, b = _factors(rows, inner, columns)
        packed = backend.pack(b)
        return lambda: backend.matmul(a, packed, transpose_b=True)

    return product


def _move_rates(nbytes: int, shared: bool, repeats: int, threads: int) -> Rates:
    """GB/s through arrays of so many bytes together, of each thread unless they are shared."""
    one = _bandwidth(nbytes, 1, repeats)
    return Rates(
        one, max(one, _bandwidth(nbytes // threads if shared else nbytes, threads, repeats))
    )


def _bandwidth(nbytes: int, threads: int, repeats: int) -> float:
    """GB/s of so many threads: the better of a copy (two arrays) and a sum (three)."""
    rates = []
    for count, move in ((2, _copy), (3, _sum)):
        elements = max(1, nbytes // count // 4)
        times = max(1, min(MOVED_NBYTES // nbytes, 128)) if nbytes else 1
        works = []
        for _ in range(threads):
            arrays = [np.ones(elements, np.float32) for _ in range(count)]
            works.append(move(times, *arrays))
        moved = threads * times * count * elements * 4
        rates.append(moved / _seconds(works, repeats) / 1e9)
    return max(rates)


def _copy(times: int, a: HostArray, out: HostArray) -> Work:
    def run() -> None:
        for _ in range(times):
            np.copyto(out, a)

    return run


def _sum(times: int, a: HostArray, b: HostArray, out: HostArray) -> Work:
    def run() -> None:
        for _ in range(times):
            np.add(a, b, out=out)

    return run


def _seconds(works: Sequence[Work], repeats: int) -> float:
    """Least time until all of the works, each on a thread of its own, are done."""
    barrier = Barrier(len(works))

    def run(work: Work) -> tuple[float, float]:
        barrier.wait()
        started = perf_counter()
        work()
        return started, perf_counter()

    times = []
    with ThreadPoolExecutor(len(works)) as pool:
        for _ in range(1 + repeats):
            spans = list(pool.map(run, works))
            times.append(max(end for _, end in spans) - min(start for start, _ in spans))
    return max(min(times[1:]), 1e-9)
