"""The cache that bytes are counted behind: what stays, what is pushed out, what merges."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cuda import nvrtc
from tests.cuda.ptx import parse, run
from tests.cuda.ptx.cache import NBYTES_EACH, SECTOR, Cache, Sectors

WALKS = """extern "C" __global__ void walks(const float* x, float* out, int n, int times) {
  float sum = 0;
  for (int time = 0; time < times; ++time)
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
  out[threadIdx.x] = sum;
}"""


def read(cache: Cache, sectors: Sectors, *numbers: int) -> int:
    return cache.moved(sectors, np.array(numbers), write=False)


def write(cache: Cache, sectors: Sectors, *numbers: int) -> int:
    return cache.moved(sectors, np.array(numbers), write=True)


def test_a_sector_is_read_once_while_it_stays() -> None:
    cache, sectors = Cache(4 * SECTOR), Sectors(10 * SECTOR)
    assert read(cache, sectors, 0, 0, 1) == 2
    assert read(cache, sectors, 1, 2) == 1
    assert read(cache, sectors, 0, 1, 2) == 0


def test_what_was_touched_longest_ago_is_pushed_out() -> None:
    cache, sectors = Cache(3 * SECTOR), Sectors(10 * SECTOR)
    for number in (0, 1, 2, 0):
        read(cache, sectors, number)
    assert read(cache, sectors, 3) == 1  # in place of 1
    assert read(cache, sectors, 0) == 0
    assert read(cache, sectors, 1) == 1


def test_parts_of_a_sector_are_written_together_or_twice() -> None:
    cache, sectors = Cache(2 * SECTOR), Sectors(10 * SECTOR)
    assert [write(cache, sectors, 0) for _ in range(3)] == [1, 0, 0]
    assert write(cache, sectors, 1, 2) == 2
    assert write(cache, sectors, 0) == 1


def test_what_is_read_and_written_passes_in_both_directions() -> None:
    cache, sectors = Cache(2 * SECTOR), Sectors(10 * SECTOR)
    assert (read(cache, sectors, 0), write(cache, sectors, 0)) == (1, 1)
    assert (write(cache, sectors, 1), read(cache, sectors, 1)) == (1, 0)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_walk_meets_the_cache_where_the_line_fits(times: int) -> None:
    threads = 64
    fits = threads * NBYTES_EACH // 4
    kernel = parse(nvrtc.ptx(WALKS))["walks"]
    for n, reads in ((fits // 2, 1), (fits * 2, times)):
        x, out = np.ones(n, np.float32), np.zeros(threads, np.float32)
        traffic = run(kernel, (1,), (threads,), (x, out, n, times), cached=True)
        assert traffic.arrays[0].moved_sectors == reads * n // 8
        assert traffic.arrays[1].moved_sectors == threads // 8
