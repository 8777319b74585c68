"""Measure what this machine can do at most: products of matrices, and bytes through memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from threading import Barrier
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from gpudb.config import available_threads
from gpudb.machine import Ceilings
from gpudb.types import HostArray

SHAPES = ((512, 512, 512), (1024, 1024, 1024), (1024, 384, 1536), (2048, 1024, 1024))
"""Rows, inner extent and columns of the products; the best rate counts."""
ARRAY_NBYTES = 128 << 20
"""Of each array that is streamed, all threads together: larger than the caches of most machines."""
REPEATS = 7

Work = Callable[[], object]


def measure(
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    array_nbytes: int = ARRAY_NBYTES,
    repeats: int = REPEATS,
    threads: int | None = None,
) -> Ceilings:
    """Measure; each rate is of the median of ``repeats`` after a warm-up.

    "All threads" is the better of one product on all of BLAS's threads and a product on each of
    our own, as batches of a model run.
    """
    threads = threads or available_threads()
    one, each, together = [], [], []
    for rows, inner, columns in shapes:
        flops = 2 * rows * inner * columns
        with threadpool_limits(limits=1, user_api="blas"):
            one.append(flops / _seconds([_product(rows, inner, columns)], repeats))
            products = [_product(rows, inner, columns) for _ in range(threads)]
            each.append(threads * flops / _seconds(products, repeats))
        with threadpool_limits(limits=threads, user_api="blas") if threads > 1 else nullcontext():
            together.append(flops / _seconds([_product(rows, inner, columns)], repeats))
    alone = _bandwidth(array_nbytes, 1, repeats)
    return Ceilings(
        gflops_one=max(one) / 1e9,
        gflops_all=max(*one, *each, *together) / 1e9,
        gbytes_one=alone / 1e9,
        gbytes_all=max(alone, _bandwidth(array_nbytes, threads, repeats)) / 1e9,
        threads=threads,
        measured=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
    )


def _product(rows: int, inner: int, columns: int) -> Work:
    random = np.random.default_rng(0)
    a = random.standard_normal((rows, inner), np.float32)
    b = random.standard_normal((inner, columns), np.float32)
    out = np.empty((rows, columns), np.float32)
    return lambda: np.matmul(a, b, out=out)


def _bandwidth(nbytes: int, threads: int, repeats: int) -> float:
    """Bytes a second: the better of a copy (two arrays) and a sum (three)."""
    elements = max(1, nbytes // threads // 4)
    arrays = [[np.ones(elements, np.float32) for _ in range(3)] for _ in range(threads)]
    moved = threads * elements * 4
    copies = [_copy(a, c) for a, _, c in arrays]
    sums = [_sum(a, b, c) for a, b, c in arrays]
    return max(2 * moved / _seconds(copies, repeats), 3 * moved / _seconds(sums, repeats))


def _copy(a: HostArray, out: HostArray) -> Work:
    return lambda: np.copyto(out, a)


def _sum(a: HostArray, b: HostArray, out: HostArray) -> Work:
    return lambda: np.add(a, b, out=out)


def _seconds(works: Sequence[Work], repeats: int) -> float:
    """Median time until all of the works, each on a thread of its own, are done."""
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
    return max(statistics.median(times[1:]), 1e-9)
