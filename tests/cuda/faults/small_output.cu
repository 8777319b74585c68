// Doubles every element. PLANT: threads beyond the array write as well.
#include "common.cuh"

extern "C" __global__ void small_output(const float* x, float* out, index_t n) {
  const index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x;
  const float v = i < n ? 2 * x[i] : 0;
#ifndef PLANT
  if (i >= n) return;
#endif
  out[i] = v;
}
