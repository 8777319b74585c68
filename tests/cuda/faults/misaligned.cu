// Copies 16 bytes at a time where addresses allow it. PLANT: everywhere.
#include "common.cuh"

extern "C" __global__ void misaligned(const float* x, float* out) {
  const float* from = x + 1 + 4 * threadIdx.x;
  float* to = out + 4 * threadIdx.x;
#ifndef PLANT
  if (!is_aligned16(from)) {
    for (int i = 0; i < 4; ++i) to[i] = from[i];
    return;
  }
#endif
  store_pack(to, load_pack(from));
}
