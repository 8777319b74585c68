/*
softmax_apply: softmax of rows cut into blocks, from the (maximum, sum of exp) of whole rows.

  x       (rows, width) T: blocks one below the other, `height` rows each
  states  (g, 2, height) T
  groups  (rows / height,) index_t: which of states belongs to a block
  out     (rows, width) T

Each thread takes 16 bytes of a few rows. x is read once and out written once, the least possible;
states and groups come from the first-level cache for all threads of a row but the first.
Deterministic. exp is expf, within 2 ulp.
*/
#include "elementwise.cuh"
#include "matrix.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void softmax_apply(const T* __restrict__ x, const T* __restrict__ states,
                                         const index_t* __restrict__ groups, T* __restrict__ out,
                                         index_t rows, index_t height, index_t width) {
  const bool packed = is_packed(x, width) && is_packed(out, width);
  over_matrix<T>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
    for (index_t row = first; row < rows; row += apart) {
      const index_t block = row / height;
      const T* state = states + 2 * groups[block] * height + (row - block * height);
      const A largest = widen(state[0]), total = widen(state[height]);
      auto few = load_few(x + row * width + at, n);
      for (A& v : few.v) v = exponential(v - largest) / total;
      write_few(out + row * width + at, narrow_few<T>(few));
    }
  });
}
