// Neighbours change places in the first 24 lanes. PLANT: the others are named, and do not come.
#include "common.cuh"

extern "C" __global__ void divergent_shuffle(const float* x, float* out) {
#ifdef PLANT
  const unsigned lanes = 0xffffffffu;
#else
  const unsigned lanes = 0x00ffffffu;
#endif
  float v = x[threadIdx.x];
  if (threadIdx.x < 24) {
    v = __shfl_xor_sync(lanes, v, 1);
  } else {
    __syncwarp(0xff000000u);
  }
  out[threadIdx.x] = v;
}
