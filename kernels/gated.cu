/*
gated: FN(x) · y. FN is a struct of elementwise.cuh.

  x    (rows, width) T, rows `stride` elements apart
  y    (rows, width) T, rows `other_stride` elements apart
  out  (rows, width) T

A thread for 16 bytes of a few rows. x and y are read once and out written once, the least possible.
Deterministic. FN's result is not rounded to T before it is multiplied.
*/
#include "elementwise.cuh"
#include "matrix.cuh"

typedef Accumulator<T>::type A;

extern "C" __global__ void gated(const T* __restrict__ x, index_t stride,
                                 const T* __restrict__ y, index_t other_stride,
                                 T* __restrict__ out, index_t rows, index_t width) {
  const bool packed = is_packed(x, stride) && is_packed(y, other_stride) && is_packed(out, width);
  over_matrix<T>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
#pragma unroll 1
    for (index_t row = first; row < rows; row += apart) {
      auto few = load_few(x + row * stride + at, n);
      const auto others = load_few(y + row * other_stride + at, n);
#pragma unroll
      for (int i = 0; i < sizeof(few.v) / sizeof(A); ++i) few.v[i] = FN::of(few.v[i]) * others.v[i];
      write_few(out + row * width + at, narrow_few<T>(few));
    }
  });
}
