// Turns a block's elements round. PLANT: one float per thread, and one more.
#include "common.cuh"

extern "C" __global__ void small_shared(const float* x, float* out) {
  CU_DYN_SHARED(float, s);
#ifdef PLANT
  float* to = s + 1;
#else
  float* to = s;
#endif
  to[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = to[63 - threadIdx.x];
}
