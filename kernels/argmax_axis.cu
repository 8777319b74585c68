/*
argmax_axis: position of the first largest element of each line along an axis of a block.

  x        (blocks, outer, length, inner) T
  lengths  (blocks,) int64, elements of each line that take part
  out      (blocks, outer, inner) int64

A warp or a thread to a line. NaN counts as largest. x is read once and out written once, the least
possible. Deterministic.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void argmax_axis(const T* __restrict__ x,
                                       const index_t* __restrict__ lengths,
                                       index_t* __restrict__ out, index_t blocks, index_t outer,
                                       index_t length, index_t inner) {
  each_line(blocks, outer, length, inner, [&](Line line, int lane, int lanes) {
    const index_t valid = within(lengths[line.block], length);
    Best<A> best = {A(0), -1};
    for (index_t j = lane; j < valid; j += lanes)
      best = better(best, Best<A>{A(widen(x[line.start + j * inner])), j});
    if (lanes == 32) {
#pragma unroll
      for (int step = 16; step > 0; step >>= 1) {
        const Best<A> other = {__shfl_xor_sync(0xffffffffu, best.value, step),
                               __shfl_xor_sync(0xffffffffu, best.place, step)};
        best = better(best, other);
      }
    }
    if (lane == 0) out[line.result] = best.place;
  });
}
