// Half of a block works. PLANT: only that half comes to the barrier.
#include "common.cuh"

extern "C" __global__ void divergent_barrier(const float* x, float* out) {
  CU_SHARED(float, s, [64]);
  s[threadIdx.x] = x[threadIdx.x];
#ifndef PLANT
  __syncthreads();
#endif
  if (threadIdx.x < 32) {
#ifdef PLANT
    __syncthreads();
#endif
    out[threadIdx.x] = s[threadIdx.x + 32];
  }
}
