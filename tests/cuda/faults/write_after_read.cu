// Adds, round by round, what another warp has put. PLANT: overwritten before it was read.
//
// The shuffle makes threads wait for their warp, and so hides the fault: in most orders all have
// read before anyone goes on. Sums over a block look like this.
#include "common.cuh"

extern "C" __global__ void write_after_read(const float* x, float* out) {
  CU_SHARED(float, s, [64]);
  float sum = 0;
  for (int round = 0; round < 3; ++round) {
    s[threadIdx.x] = x[threadIdx.x] + round;
    __syncthreads();
    sum += __shfl_xor_sync(0xffffffffu, s[threadIdx.x ^ 32], 1);
#ifndef PLANT
    __syncthreads();
#endif
  }
  out[threadIdx.x] = sum;
}
