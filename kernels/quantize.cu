/*
quantize: x / scale of its row, rounded to the nearest whole number, to even in the middle.

  x       (rows, width) T
  scales  (rows,) float
  out     (rows, width) signed char, from -127 to 127; 0 where x / scale is NaN

A thread for 16 bytes of a few rows of x. x is read once and out written once, the least possible.
Deterministic.
*/
#include "matrix.cuh"
#include "boxes.cuh"

__device__ __forceinline__ signed char step_of(float x, float scale) {
  const float steps = x / scale;
  if (steps != steps) return 0;
  return static_cast<signed char>(rintf(fminf(fmaxf(steps, -127.0f), 127.0f)));
}

extern "C" __global__ void quantize(const T* __restrict__ x, const float* __restrict__ scales,
    signed char* __restrict__ out, index_t rows, index_t width) {
  const bool packed = is_packed(x, width) && is_aligned16(out);
  over_matrix<T>(rows, width, packed, [&](index_t at, index_t first, index_t apart, auto n) {
#pragma unroll 1
    for (index_t row = first; row < rows; row += apart) {
      const auto few = load_few(x + row * width + at, n);
      auto steps = same_few(static_cast<signed char>(0), n);
      const float scale = scales[row];
      int i = 0;
#pragma unroll
      for (const auto v : few.v) steps.v[i++] = step_of(float(v), scale);
      write_few(out + row * width + at, steps);
    }
  });
}
