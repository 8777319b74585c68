/*
moments: mean and sum of squared differences to it, along an axis of a block.

  x        (blocks, outer, length, inner) T
  lengths  (blocks,) int64, elements of each line that take part
  out      (blocks, 2, outer, inner) double

A warp or a thread to a line, two passes over it: the sum of squares alone would cancel. x is read
once from memory where a line stays in the cache. Sums in double; deterministic.
*/
#include "lines.cuh"

extern "C" __global__ void moments(const T* __restrict__ x, const index_t* __restrict__ lengths,
                                   double* __restrict__ out, index_t blocks, index_t outer,
                                   index_t length, index_t inner) {
  each_line(blocks, outer, length, inner, [&](Line line, int lane, int lanes) {
    const index_t valid = within(lengths[line.block], length);
    double sum = 0, squares = 0;
    for (index_t j = lane; j < valid; j += lanes) sum += widen(x[line.start + j * inner]);
    const double mean = over_lanes<Sum>(sum, lanes) / double(valid);
    for (index_t j = lane; j < valid; j += lanes) {
      const double off = widen(x[line.start + j * inner]) - mean;
      squares += off * off;
    }
    squares = over_lanes<Sum>(squares, lanes);
    if (lane) return;
    const index_t lines = outer * inner;
    double* state = out + line.block * 2 * lines + line.result % lines;
    state[0] = mean;
    state[lines] = squares;
  });
}
