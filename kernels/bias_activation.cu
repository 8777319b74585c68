/*
bias_activation: FN(x + bias), into x. FN is a struct of elementwise.cuh.

  x     (rows, width) T, overwritten
  bias  (width,) T

Each thread takes 16 bytes of bias and adds them to a few rows of x. x is read once and written
once, the least possible for a step of its own. Deterministic. FN gets the sum before it is rounded
to T.
*/
#include "elementwise.cuh"
#include "matrix.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void bias_activation(T* __restrict__ x, const T* __restrict__ bias,
                                           index_t rows, index_t width) {
  const bool packed = is_packed(x, width) && is_aligned16(bias);
  over_matrix<T>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
    const auto added = load_few(bias + at, n);
#pragma unroll 1
    for (index_t row = first; row < rows; row += apart) {
      auto few = load_few(x + row * width + at, n);
      add_few(few, added);
      for (A& v : few.v) v = FN::of(v);
      store_few(x + row * width + at, few);
    }
  });
}
