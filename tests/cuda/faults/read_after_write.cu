// Turns a block's elements round. PLANT: read before the others have written.
#include "common.cuh"

extern "C" __global__ void read_after_write(const float* x, float* out) {
  CU_SHARED(float, s, [64]);
  s[threadIdx.x] = x[threadIdx.x];
#ifndef PLANT
  __syncthreads();
#endif
  out[threadIdx.x] = s[63 - threadIdx.x];
}
