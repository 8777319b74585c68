/*
clear_tail: zero the elements of some blocks from `start` on, along one axis.

  x     (n, outer, length, inner) T   overwritten
  rows  (m,) int64                    numbers of the blocks

One thread per element to be zeroed, walking on in steps of the grid; `count` of them. Writes what
has to be zeroed, and reads one number for each: the least possible. Deterministic.
*/
#include "common.cuh"

extern "C" __global__ void clear_tail(T* __restrict__ x, const index_t* __restrict__ rows,
                                      index_t count, index_t outer, index_t length, index_t start,
                                      index_t inner) {
  const index_t step = index_t(gridDim.x) * blockDim.x;
  for (index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const index_t tail = (length - start) * inner;
    const index_t line = i / tail, at = i % tail;
    const index_t block = rows[line / outer];
    x[((block * outer + line % outer) * length + start) * inner + at] = T{};
  }
}
