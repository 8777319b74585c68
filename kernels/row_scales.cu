/*
row_scales: for each row the number that stands for one of 127 steps: its largest |x| / 127, or 1.

  x    (rows, width) T
  out  (rows,) float

One block per row, walking on in steps of the grid. x is read once and out written once, the least
possible. Deterministic.
*/
#include "row.cuh"

// Written as a product: NVRTC 13.5 makes one of a division by a constant, but for sm_120 only.
#define STEP 7.87401572e-3f  // 1 / 127
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
    const float scale = largest * STEP;
    if (threadIdx.x == 0) out[row] = scale < SMALLEST ? 1.0f : scale;
  }
}
