/*
row_scales: for each row the number that stands for 1 of 127 steps: its largest |x| / 127, or 1.

  x    (rows, width) T
  out  (rows,) float

One block per row, walking on in steps of the grid. x is read once and out written once, the least
possible. Deterministic.
*/
#include "row.cuh"

#define SMALLEST 1.17549435e-38f  // not denormal: denormals are taken for 0

extern "C" __global__ void row_scales(const T* __restrict__ x, float* __restrict__ out,
    index_t rows, index_t width) {
  CU_SHARED(float, scratch, [32]);
  const bool packed = is_packed(x, width);
  for (index_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float largest = 0;
    along_row<T>(width, packed, [&](index_t at, auto n) {
      const auto few = load_few(x + row * width + at, n);
      for (const auto v : few.v) largest = nan_max(largest, fabsf(float(v)));
    });
    largest = block_reduce<Max>(largest, 0.0f, scratch);
    const float scale = largest / 127.0f;
    if (threadIdx.x == 0) out[row] = scale < SMALLEST ? 1.0f : scale;
  }
}
