/*
softmax_state: maximum, and sum of exp of the differences to it, of the part of each row in a block.

  x        (blocks, rows, width) T
  lengths  (blocks,) int64, elements of each row that take part
  out      (blocks, 2, rows) T

A warp to a row, two passes over it, of which the second meets the cache: x is read once from
memory, the least possible. Deterministic.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void softmax_state(const T* __restrict__ x,
                                         const index_t* __restrict__ lengths, T* __restrict__ out,
                                         index_t blocks, index_t rows, index_t width) {
  each_line(blocks, rows, width, 1, [&](Line line, int lane, int lanes) {
    const index_t valid = within(lengths[line.block], width);
    A largest = -CU_INF;
    for (index_t j = lane; j < valid; j += lanes)
      largest = nan_max(largest, A(widen(x[line.start + j])));
    largest = over_lanes<Max>(largest, lanes);
    const A base = largest == A(-CU_INF) ? A(0) : largest;
    A sum = 0;
    for (index_t j = lane; j < valid; j += lanes) sum += exponential(widen(x[line.start + j]) - base);
    sum = over_lanes<Sum>(sum, lanes);
    if (lane) return;
    T* state = out + line.block * 2 * rows + line.result % rows;
    state[0] = Narrow<T>::from(largest);
    state[rows] = Narrow<T>::from(sum);
  });
}
