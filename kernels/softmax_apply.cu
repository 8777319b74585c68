/*
softmax_apply: softmax from the (maximum, sum of exp) of whole rows.

  x       (blocks, rows, width) T
  states  (groups, 2, rows) T
  groups  (blocks,) int64, which state belongs to a block
  out     (blocks, rows, width) T

A thread to an element. x is read once and out written once; states come from the cache.
*/
#include "lines.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void softmax_apply(const T* __restrict__ x, const T* __restrict__ states,
                                         const index_t* __restrict__ groups, T* __restrict__ out,
                                         index_t blocks, index_t rows, index_t width) {
  each_item(blocks * rows * width, [&](index_t i) {
    const index_t line = i / width;
    const T* state = states + groups[line / rows] * 2 * rows + line % rows;
    const A e = exponential(widen(x[i]) - widen(state[0]));
    out[i] = Narrow<T>::from(e / widen(state[rows]));
  });
}
