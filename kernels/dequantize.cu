/*
dequantize: whole numbers times the scale of their row.

  x       (rows, width) signed char
  scales  (rows,) float
  out     (rows, width) float

A thread for 16 bytes of a few rows of out. x is read once and out written once, the least possible.
Deterministic.
*/
#include "matrix.cuh"
#include "boxes.cuh"

extern "C" __global__ void dequantize(const signed char* __restrict__ x,
    const float* __restrict__ scales, float* __restrict__ out, index_t rows, index_t width) {
  const bool packed = is_packed(out, width) && is_aligned16(x);
  over_matrix<float>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
#pragma unroll 1
    for (index_t row = first; row < rows; row += apart) {
      const auto few = read_few(x + row * width + at, n);
      auto values = same_few(scales[row], n);
      int i = 0;
#pragma unroll
      for (const signed char v : few.v) values.v[i++] *= float(v);
      write_few(out + row * width + at, values);
    }
  });
}
